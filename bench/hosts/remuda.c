/* A host in C, to which events are pushed or which pulls them. What every host takes and prints: bench/src/host.rs.
 *
 *     remuda push|pull warm|each PROVIDER AGENT FOLDER SESSIONS TURNS PROMPT
 */
#define _GNU_SOURCE
#include <remuda.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 256

/* One session, and the turn that it is in. */
struct seat {
    remuda_session session;
    int left;
    int64_t began, first;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static remuda_pool *pool;
static const char *prompt;
static int is_stamped, busy;
static uint64_t pieces, bytes;
static int64_t *stamps, *firsts, *ends;
static size_t stamped, room, turned;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

#define GOOD(call)                                                                                 \
    do {                                                                                           \
        remuda_error *err = NULL;                                                                  \
        if ((call) != REMUDA_STATUS_OK) {                                                          \
            fail(remuda_error_message(err));                                                       \
        }                                                                                          \
    } while (0)

static int64_t clock_ns(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static long memory(const char *name)
{
    char line[256];
    long size = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            size = atol(line + strlen(name));
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return size;
}

/* Pieces may have merged: each has its own time. */
static void note(const char *text)
{
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    char *rest;
    long long at;
    while (at = strtoll(text, &rest, 10), rest != text) {
        if (at > 1000000000 && stamped < room) {
            stamps[stamped++] = now - at;
        }
        text = rest;
    }
}

static void send_turn(struct seat *seat, const char *text)
{
    seat->began = clock_ns(CLOCK_MONOTONIC);
    seat->first = 0;
    GOOD(remuda_session_send(pool, seat->session, text, strlen(text), 0, NULL, &err));
}

/* Called by one thread at a time. 1: nothing is left to do. */
static int count(const remuda_event *event)
{
    struct seat *seat = event->session_data;
    switch (event->kind) {
    case REMUDA_EVENT_TEXT_DELTA:
        pieces++;
        bytes += event->text_len;
        if (seat->first == 0) {
            seat->first = clock_ns(CLOCK_MONOTONIC);
        }
        if (is_stamped) {
            note(event->text);
        }
        return 0;
    case REMUDA_EVENT_TURN_COMPLETED:
        if (turned < room) {
            firsts[turned] = seat->first == 0 ? 0 : seat->first - seat->began;
            ends[turned++] = clock_ns(CLOCK_MONOTONIC) - seat->began;
        }
        if (--seat->left > 0) {
            send_turn(seat, prompt);
            return 0;
        }
        return --busy == 0;
    case REMUDA_EVENT_TURN_FAILED:
    case REMUDA_EVENT_TURN_INTERRUPTED:
        fail(event->text);
        return 1;
    default:
        return 0;
    }
}

static int over;

static void on_event(const remuda_event *event, void *user_data)
{
    (void)user_data;
    if (count(event)) {
        pthread_mutex_lock(&lock);
        over = 1;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    }
}

static void await(int pulls)
{
    const remuda_event *events[BATCH];
    if (!pulls) {
        pthread_mutex_lock(&lock);
        while (!over) {
            pthread_cond_wait(&changed, &lock);
        }
        pthread_mutex_unlock(&lock);
        return;
    }
    while (!over) {
        size_t number = 0;
        size_t i;
        GOOD(remuda_pool_next_events(pool, events, BATCH, REMUDA_FOREVER, &number, &err));
        for (i = 0; i < number; i++) {
            over |= count(events[i]);
        }
        remuda_events_release(events, number);
    }
}

static void play(struct seat *seats, int sessions, int turns, const char *text, int pulls)
{
    int i;
    over = 0;
    busy = sessions;
    for (i = 0; i < sessions; i++) {
        seats[i].left = turns;
        send_turn(&seats[i], text);
    }
    await(pulls);
}

static int by_size(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static double at(int64_t *values, size_t number, size_t percent)
{
    qsort(values, number, sizeof *values, by_size);
    return number == 0 ? 0 : (double)values[(number - 1) * percent / 100] / 1e3;
}

int main(int argc, char **argv)
{
    static char options[128];
    remuda_pool_config pool_config;
    struct seat *seats;
    int sessions, turns, pulls, warm, i;
    int64_t cpu, wall;
    long before;
    if (argc != 9) {
        fail("remuda push|pull warm|each PROVIDER AGENT FOLDER SESSIONS TURNS PROMPT");
    }
    pulls = strcmp(argv[1], "pull") == 0;
    warm = strcmp(argv[2], "warm") == 0;
    sessions = atoi(argv[6]);
    turns = atoi(argv[7]);
    prompt = argv[8];
    is_stamped = strstr(prompt, "stamped") != NULL;
    room = is_stamped ? 4u << 20 : 1u << 20;
    stamps = calloc(room, sizeof *stamps);
    firsts = calloc(room, sizeof *firsts);
    ends = calloc(room, sizeof *ends);
    seats = calloc((size_t)sessions, sizeof *seats);
    snprintf(options, sizeof options, "{\"max_warm\":%d,\"max_processes\":%d,\"max_starting\":4}", sessions,
        2 * (sessions < 2 ? 2 : sessions));
    remuda_pool_config_init(&pool_config, sizeof pool_config);
    pool_config.options_json = options;
    pool_config.on_event = pulls ? NULL : on_event;
    GOOD(remuda_pool_new(&pool_config, &pool, &err));
    before = memory("VmRSS:");
    for (i = 0; i < sessions; i++) {
        remuda_session_config config;
        remuda_session_config_init(&config, sizeof config);
        config.provider = argv[3];
        config.program = argv[4];
        config.cwd = argv[5];
        config.session_data = &seats[i];
        config.options_json = warm ? NULL : "{\"persistent\":\"never\"}";
        GOOD(remuda_session_open(pool, &config, &seats[i].session, &err));
        if (warm) {
            play(&seats[i], 1, 1, "hello", pulls);
        }
    }
    before = (memory("VmRSS:") - before) / sessions;
    pieces = bytes = 0;
    stamped = turned = 0;
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    wall = clock_ns(CLOCK_MONOTONIC);
    play(seats, sessions, turns, prompt, pulls);
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"cpu_us\":%.1f,\"wall_us\":%.1f,\"events\":%llu,\"bytes\":%llu,\"peak_kb\":%ld,\"idle_kb\":%ld,"
           "\"first_us\":%.1f,\"end_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
        (double)cpu / 1e3, (double)wall / 1e3, (unsigned long long)pieces, (unsigned long long)bytes,
        memory("VmHWM:"), before, at(firsts, turned, 50), at(ends, turned, 50), at(stamps, stamped, 50),
        at(stamps, stamped, 99), at(stamps, stamped, 100));
    GOOD(remuda_pool_shutdown(pool, 10000, NULL, NULL, &err));
    remuda_pool_free(pool);
    return 0;
}
