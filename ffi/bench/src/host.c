/* One session, one prompt: what it costs the process of a host in C until the turn has ended. See main.rs.
 *
 *     host push|pull AGENT FOLDER PROMPT
 */
#define _XOPEN_SOURCE 700
#include <remuda.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BATCH 256

struct count {
    pthread_mutex_t lock;
    pthread_cond_t over;
    uint64_t pieces;
    uint64_t bytes;
    /* When the turn had ended; 0 until then. */
    uint64_t cpu_us;
};

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

/* The time that this process has had of all processors, in microseconds. */
static uint64_t cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        fail("no getrusage");
    }
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000U +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void count_event(struct count *count, const remuda_event *event)
{
    switch (event->kind) {
    case REMUDA_EVENT_TEXT_DELTA:
        count->pieces++;
        count->bytes += event->text_len;
        break;
    case REMUDA_EVENT_TURN_COMPLETED:
        count->cpu_us = cpu_us();
        break;
    case REMUDA_EVENT_TURN_FAILED:
    case REMUDA_EVENT_TURN_INTERRUPTED:
        fail(event->text);
        break;
    default:
        break;
    }
}

static void on_event(const remuda_event *event, void *user_data)
{
    struct count *count = user_data;
    count_event(count, event);
    if (event->kind == REMUDA_EVENT_TURN_COMPLETED) {
        pthread_mutex_lock(&count->lock);
        pthread_cond_signal(&count->over);
        pthread_mutex_unlock(&count->lock);
    }
}

static void await_push(struct count *count)
{
    pthread_mutex_lock(&count->lock);
    while (count->cpu_us == 0) {
        pthread_cond_wait(&count->over, &count->lock);
    }
    pthread_mutex_unlock(&count->lock);
}

static void await_pull(struct count *count, remuda_pool *pool)
{
    const remuda_event *events[BATCH];
    while (count->cpu_us == 0) {
        size_t number = 0;
        size_t i;
        GOOD(remuda_pool_next_events(pool, events, BATCH, REMUDA_FOREVER, &number, &err));
        for (i = 0; i < number; i++) {
            count_event(count, events[i]);
        }
        remuda_events_release(events, number);
    }
}

int main(int argc, char **argv)
{
    static struct count count = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};
    remuda_pool_config pool_config;
    remuda_session_config config;
    remuda_pool *pool = NULL;
    remuda_session session = 0;
    uint64_t before;
    int pulls;
    if (argc != 5) {
        fail("host push|pull AGENT FOLDER PROMPT");
    }
    pulls = strcmp(argv[1], "pull") == 0;
    remuda_pool_config_init(&pool_config, sizeof pool_config);
    pool_config.on_event = pulls ? NULL : on_event;
    pool_config.user_data = &count;
    GOOD(remuda_pool_new(&pool_config, &pool, &err));
    remuda_session_config_init(&config, sizeof config);
    config.provider = "claude";
    config.program = argv[2];
    config.cwd = argv[3];
    GOOD(remuda_session_open(pool, &config, &session, &err));
    before = cpu_us();
    GOOD(remuda_session_send(pool, session, argv[4], strlen(argv[4]), 0, NULL, &err));
    if (pulls) {
        await_pull(&count, pool);
    } else {
        await_push(&count);
    }
    printf("%llu %llu %llu\n", (unsigned long long)(count.cpu_us - before),
           (unsigned long long)count.pieces, (unsigned long long)count.bytes);
    GOOD(remuda_pool_shutdown(pool, 10000, NULL, NULL, &err));
    remuda_pool_free(pool);
    return 0;
}
