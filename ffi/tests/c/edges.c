/* Edges: little room, failures that write nothing, calls that meet each other. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define INVALID REMUDA_STATUS_INVALID_ARGUMENT
#define ANSWERS 10

/* Ten answers and the last event wait at once; each batch has room for one or two. */
static void no_more_events_are_given_out_than_there_is_room_for(void)
{
    size_t capacity;
    for (capacity = 1; capacity <= 2; capacity++) {
        struct host *host = host_pull(NULL);
        remuda_session session = open_session(host, NULL, NULL);
        size_t answers = 0;
        size_t last = 0;
        size_t i;
        int answered[ANSWERS] = {0};
        for (i = 0; i < ANSWERS; i++) {
            GOOD(remuda_session_interrupt(host->pool, session, 999, 0, 100 + i, &err));
        }
        GOOD(remuda_session_close(host->pool, session, &err));
        GOOD(remuda_pool_shutdown(host->pool, 60000, NULL, NULL, &err));
        for (;;) {
            const remuda_event *events[64] = {NULL};
            size_t count = 0;
            remuda_status status = remuda_pool_next_events(host->pool, events, capacity,
                                                           REMUDA_FOREVER, &count, NULL);
            if (status == REMUDA_STATUS_CLOSED) {
                break;
            }
            CHECK(status == REMUDA_STATUS_OK && count >= 1 && count <= capacity);
            for (i = capacity; i < 64; i++) {
                CHECK(events[i] == NULL);
            }
            for (i = 0; i < count; i++) {
                CHECK(last == 0);
                if (events[i]->kind == REMUDA_EVENT_CALL_DONE) {
                    CHECK(events[i]->tag >= 100 && events[i]->tag < 100 + ANSWERS);
                    CHECK(!answered[events[i]->tag - 100]);
                    answered[events[i]->tag - 100] = 1;
                    answers++;
                }
                last += events[i]->kind == REMUDA_EVENT_SESSION_CLOSED;
            }
            remuda_events_release(events, count);
        }
        CHECK(answers == ANSWERS && last == 1);
        remuda_pool_free(host->pool);
        host_drop(host);
        alone();
    }
}

static void what_fails_writes_nothing(void)
{
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_message message;
    remuda_sent sent;
    send_text(host, session, "[[hang]]", 1);
    remuda_message_init(&message, sizeof message);
    message.text = "x";
    message.text_len = 1;
    remuda_sent_init(&sent, sizeof sent);
    sent.turn = 77;
    sent.position = 66;
    sent.state = 55;
    BAD(REMUDA_STATUS_TURN_IN_PROGRESS, "turn",
        remuda_session_send_message(host->pool, session, &message, &sent, &err));
    CHECK(sent.turn == 77 && sent.position == 66 && sent.state == 55);
    message.reserved = 5;
    BAD(INVALID, "reserved: 5 is not 0",
        remuda_session_send_message(host->pool, session, &message, &sent, &err));
    BAD(INVALID, "reserved", remuda_session_edit(host->pool, session, 1, &message, &err));
    CHECK(sent.turn == 77 && sent.position == 66 && sent.state == 55);
    host_end(host);
}

static int destroyed;

static void count_destroy(void *user_data)
{
    CHECK(user_data == &destroyed);
    destroyed++;
}

static void destroy_runs_once_also_when_the_config_is_refused(void)
{
    struct {
        remuda_pool_config known;
        uint64_t newer;
    } wide;
    remuda_pool_config *config = &wide.known;
    remuda_pool *pool = NULL;
    size_t size;
    for (size = 0; size < sizeof *config; size++) {
        int readable = size >= offsetof(remuda_pool_config, destroy) + sizeof(remuda_destroy_fn);
        remuda_pool_config_init(config, sizeof *config);
        config->user_data = &destroyed;
        config->destroy = count_destroy;
        config->struct_size = size;
        destroyed = 0;
        BAD(INVALID, "struct_size", remuda_pool_new(config, &pool, &err));
        CHECK(destroyed == readable);
    }
    /* A host that knows more fields than the library: all of it is set to the default, and may stay so. */
    memset(&wide, 0xee, sizeof wide);
    remuda_pool_config_init(config, sizeof wide);
    CHECK(config->struct_size == sizeof wide && wide.newer == 0);
    config->user_data = &destroyed;
    config->destroy = count_destroy;
    wide.newer = 1;
    destroyed = 0;
    BAD(INVALID, "config: byte", remuda_pool_new(config, &pool, &err));
    CHECK(destroyed == 1);
    BAD(INVALID, "pool", remuda_pool_new(config, NULL, &err));
    CHECK(destroyed == 2);
    config->struct_size = 4097;
    BAD(INVALID, "struct_size is 4097", remuda_pool_new(config, &pool, &err));
    CHECK(destroyed == 2 && pool == NULL);
    config->struct_size = sizeof wide;
    wide.newer = 0;
    GOOD(remuda_pool_new(config, &pool, &err));
    CHECK(destroyed == 2);
    remuda_pool_free(pool);
    CHECK(destroyed == 3);
    alone();
}

static void a_message_that_is_to_join_is_refused_at_once_if_it_is_none(void)
{
    static const char *const missing =
        "{\"attachments\": [{\"path\": \"/nonexistent.txt\", \"media_type\": \"text/plain\"}]}";
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_sent sent;
    BAD(INVALID, "empty",
        send_message(host->pool, session, "", 5, REMUDA_ON_BUSY_STEER, NULL, &sent, &err));
    BAD(INVALID, "nonexistent",
        send_message(host->pool, session, "x", 6, REMUDA_ON_BUSY_STEER, missing, &sent, &err));
    GOOD(remuda_pool_shutdown(host->pool, 60000, NULL, NULL, &err));
    while (host_take(host, REMUDA_FOREVER)) {
    }
    CHECK(count_of(host, session, REMUDA_EVENT_CALL_DONE) == 0);
    host_end(host);
}

/* Whether a turn with this tag was told of before the answer of the call with the same tag. */
static void check_answer_after_turn(struct host *host, uint64_t tag)
{
    size_t i;
    int begun = 0;
    int answered = 0;
    pthread_mutex_lock(&host->lock);
    for (i = 0; i < host->count; i++) {
        const remuda_event *event = &host->seen[i].event;
        if (event->tag != tag) {
            continue;
        }
        begun |= event->kind == REMUDA_EVENT_TURN_STARTED ||
                 event->kind == REMUDA_EVENT_TURN_QUEUED || event->kind == REMUDA_EVENT_STEERED;
        if (event->kind == REMUDA_EVENT_CALL_DONE) {
            CHECK(begun);
            answered++;
        }
    }
    pthread_mutex_unlock(&host->lock);
    CHECK(answered == 1);
}

static void the_answer_of_a_message_comes_after_its_turn_began(void)
{
    int round;
    for (round = 0; round < 30; round++) {
        struct host *host = host_push(NULL);
        remuda_session session = open_session(host, NULL, NULL);
        remuda_sent sent;
        wait_for(host, session, REMUDA_EVENT_SESSION_OPENED, 1);
        GOOD(send_message(host->pool, session, "[[words 2]]", 1, REMUDA_ON_BUSY_STEER, NULL, &sent,
                          &err));
        GOOD(send_message(host->pool, session, "two", 2, REMUDA_ON_BUSY_STEER, NULL, &sent, &err));
        wait_done(host, session, 1);
        wait_done(host, session, 2);
        check_answer_after_turn(host, 1);
        check_answer_after_turn(host, 2);
        host_end(host);
    }
}

/* In every event of a session, its last included, its name is good. */
static void ask_what_it_is(struct host *host, const remuda_event *event)
{
    char *json = NULL;
    const remuda_event *again[1];
    size_t count = 0;
    pthread_mutex_lock(&host->lock);
    pthread_mutex_unlock(&host->lock);
    if (event->kind == REMUDA_EVENT_SESSION_OPENED) {
        int *gate = host->own;
        while (__atomic_load_n(gate, __ATOMIC_SEQ_CST) == 0) {
            nap();
        }
    }
    GOOD(remuda_session_snapshot(host->pool, event->session, &json, NULL, &err));
    remuda_string_free(json);
    GOOD(remuda_session_replay(host->pool, event->session, 1, again, 1, &count, &err));
    CHECK(count == 1);
    remuda_events_release(again, count);
}

static void a_session_is_known_until_its_last_event_was_shown(void)
{
    int gate = 0;
    struct host *host = host_push_also(NULL, ask_what_it_is, &gate);
    remuda_session session = open_session(host, NULL, NULL);
    wait_for(host, session, REMUDA_EVENT_SESSION_OPENED, 1);
    GOOD(remuda_session_close(host->pool, session, &err));
    for (;;) {
        remuda_pool_stats stats;
        remuda_pool_stats_init(&stats, sizeof stats);
        GOOD(remuda_pool_get_stats(host->pool, &stats, &err));
        if (stats.sessions == 0) {
            break;
        }
        nap();
    }
    __atomic_store_n(&gate, 1, __ATOMIC_SEQ_CST);
    host_end(host);
}

struct opener {
    struct host *host;
    size_t opened;
};

static void *open_until_shut(void *argument)
{
    struct opener *opener = argument;
    remuda_session session = 0;
    while (try_open(opener->host->pool, NULL, NULL, &session, NULL) == REMUDA_STATUS_OK) {
        opener->opened++;
    }
    return NULL;
}

static void a_shutdown_forgets_no_session_that_is_opened_meanwhile(void)
{
    int round;
    for (round = 0; round < 40; round++) {
        struct host *host = round % 2 == 0 ? host_push(NULL) : host_pull(NULL);
        struct opener openers[4];
        pthread_t threads[4];
        char *report = NULL;
        size_t opened = 0;
        size_t i;
        for (i = 0; i < 4; i++) {
            openers[i].host = host;
            openers[i].opened = 0;
            CHECK(pthread_create(&threads[i], NULL, open_until_shut, &openers[i]) == 0);
        }
        nap();
        GOOD(remuda_pool_shutdown(host->pool, 60000, &report, NULL, &err));
        CHECK(contains(report, "\"unfinished\":[]"));
        CHECK(host->pulls || contains(report, "\"undelivered\":[]"));
        remuda_string_free(report);
        while (host->pulls && host_take(host, REMUDA_FOREVER)) {
        }
        /* Now none can come any more. */
        i = count_of(host, 0, REMUDA_EVENT_SESSION_CLOSED);
        for (opened = 0; opened < 4; opened++) {
            CHECK(pthread_join(threads[opened], NULL) == 0);
        }
        opened = openers[0].opened + openers[1].opened + openers[2].opened + openers[3].opened;
        CHECK(i == opened);
        host_end(host);
    }
}

struct pair {
    pthread_mutex_t lock;
    pthread_cond_t more;
    remuda_pool *pools[2];
    int inside;
    int destroyed;
};

static struct pair pair;

/* Once both callbacks run, each frees the other's pool. */
static void free_the_other(const remuda_event *event, void *user_data)
{
    remuda_pool **own = user_data;
    if (event->kind != REMUDA_EVENT_SESSION_OPENED) {
        return;
    }
    pthread_mutex_lock(&pair.lock);
    pair.inside++;
    pthread_cond_broadcast(&pair.more);
    while (pair.inside < 2) {
        pthread_cond_wait(&pair.more, &pair.lock);
    }
    pthread_mutex_unlock(&pair.lock);
    remuda_pool_free(own == &pair.pools[0] ? pair.pools[1] : pair.pools[0]);
}

static void count_pair(void *user_data)
{
    (void)user_data;
    pthread_mutex_lock(&pair.lock);
    pair.destroyed++;
    pthread_cond_broadcast(&pair.more);
    pthread_mutex_unlock(&pair.lock);
}

static void two_pools_may_be_freed_in_each_others_callbacks(void)
{
    size_t i;
    memset(&pair, 0, sizeof pair);
    CHECK(pthread_mutex_init(&pair.lock, NULL) == 0);
    CHECK(pthread_cond_init(&pair.more, NULL) == 0);
    for (i = 0; i < 2; i++) {
        remuda_pool_config config;
        remuda_pool_config_init(&config, sizeof config);
        config.on_event = free_the_other;
        config.user_data = &pair.pools[i];
        config.destroy = count_pair;
        GOOD(remuda_pool_new(&config, &pair.pools[i], &err));
    }
    for (i = 0; i < 2; i++) {
        GOOD(try_open(pair.pools[i], NULL, NULL, NULL, &err));
    }
    pthread_mutex_lock(&pair.lock);
    while (pair.destroyed < 2) {
        pthread_cond_wait(&pair.more, &pair.lock);
    }
    pthread_mutex_unlock(&pair.lock);
    alone();
    pthread_mutex_destroy(&pair.lock);
    pthread_cond_destroy(&pair.more);
}

static int readable(int fd)
{
    struct pollfd polled = {0, POLLIN, 0};
    polled.fd = fd;
    CHECK(poll(&polled, 1, 0) >= 0);
    return polled.revents != 0;
}

static void the_descriptor_is_dark_while_too_many_events_are_out(void)
{
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    const size_t most = 16384;
    const remuda_event **events = calloc(most, sizeof *events);
    int32_t fd = -1;
    size_t have = 0;
    size_t count = 0;
    CHECK(events != NULL);
    GOOD(remuda_pool_wake_fd(host->pool, &fd, &err));
    CHECK(readable(fd));
    while (have < most) {
        GOOD(remuda_session_replay(host->pool, session, 1, events + have, 1, &count, &err));
        have += count;
    }
    CHECK(readable(fd));
    BAD(REMUDA_STATUS_TOO_MANY, "not released",
        remuda_pool_next_events(host->pool, events, 1, 0, &count, &err));
    CHECK(!readable(fd));
    open_session(host, NULL, NULL);
    CHECK(!readable(fd));
    remuda_events_release(events, 1);
    CHECK(readable(fd));
    remuda_events_release(events, most);
    free(events);
    host_end(host);
}

static void a_pool_that_could_not_be_made_does_not_bind_the_process(void)
{
    pid_t child = fork();
    int status = 0;
    CHECK(child >= 0);
    if (child == 0) {
        /* A process of its own, in which no pool was made. */
        execl(own_program, own_program, "fork_after_failure", "0", (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The other side: a pool that cannot be made, then a copy of the process that makes one. */
int fork_after_failure(void)
{
    remuda_pool_config config;
    remuda_pool *pool = NULL;
    pid_t child;
    int status = 0;
    remuda_pool_config_init(&config, sizeof config);
    config.options_json = "{\"max_warm\": 0}";
    BAD(INVALID, "max_warm", remuda_pool_new(&config, &pool, &err));
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        GOOD(remuda_pool_new(NULL, &pool, &err));
        remuda_pool_free(pool);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

const struct test edges_tests[] = {
    TEST(no_more_events_are_given_out_than_there_is_room_for),
    TEST(what_fails_writes_nothing),
    TEST(destroy_runs_once_also_when_the_config_is_refused),
    TEST(a_message_that_is_to_join_is_refused_at_once_if_it_is_none),
    TEST(the_answer_of_a_message_comes_after_its_turn_began),
    TEST(a_session_is_known_until_its_last_event_was_shown),
    TEST(a_shutdown_forgets_no_session_that_is_opened_meanwhile),
    TEST(two_pools_may_be_freed_in_each_others_callbacks),
    TEST(the_descriptor_is_dark_while_too_many_events_are_out),
    TEST(a_pool_that_could_not_be_made_does_not_bind_the_process),
    {NULL, NULL},
};
