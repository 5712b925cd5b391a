/* Eight threads at once. The number of sessions is REMUDA_TEST_SESSIONS, 24 if it is not set. Pool after pool is played
 * with until REMUDA_TEST_SECONDS are over; one, if it is not set. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 8

struct part {
    struct host *host;
    size_t number;
    size_t sessions;
};

/* Opens its share of the sessions, talks in every fourth, asks about all, and closes them. */
static void *play(void *argument)
{
    struct part *part = argument;
    struct host *host = part->host;
    remuda_session sessions[64];
    size_t i;
    CHECK(part->sessions <= 64);
    for (i = 0; i < part->sessions; i++) {
        sessions[i] = open_session(host, NULL, part);
    }
    for (i = 0; i < part->sessions; i += 4) {
        remuda_sent sent;
        remuda_pool_stats stats;
        char *json = NULL;
        send_text(host, sessions[i], "[[words 20]]", part->number + 1);
        GOOD(send_message(host->pool, sessions[i], "[[words 5]]", 99, REMUDA_ON_BUSY_QUEUE, NULL,
                          &sent, &err));
        GOOD(remuda_session_answer(host->pool, sessions[i], 4711, "{\"answer\":\"allow\"}", 1000,
                                   &err));
        remuda_pool_stats_init(&stats, sizeof stats);
        GOOD(remuda_pool_get_stats(host->pool, &stats, &err));
        GOOD(remuda_session_snapshot(host->pool, sessions[i], &json, NULL, &err));
        remuda_string_free(json);
    }
    for (i = 0; i < part->sessions; i++) {
        if (i % 4 == 0 && !host->pulls) {
            wait_for(host, sessions[i], REMUDA_EVENT_TURN_COMPLETED, 2);
            wait_done(host, sessions[i], 1000);
        }
        if (!host->pulls) {
            GOOD(remuda_session_close(host->pool, sessions[i], &err));
        }
    }
    return NULL;
}

static size_t number(const char *variable, size_t otherwise)
{
    const char *value = getenv(variable);
    return value == NULL ? otherwise : strtoul(value, NULL, 10);
}

static void with_eight_threads(struct host *host)
{
    struct part parts[THREADS];
    pthread_t threads[THREADS];
    size_t i;
    for (i = 0; i < THREADS; i++) {
        parts[i].host = host;
        parts[i].number = i;
        parts[i].sessions = (number("REMUDA_TEST_SESSIONS", 24) + THREADS - 1) / THREADS;
        CHECK(pthread_create(&threads[i], NULL, play, &parts[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    host_end(host);
}

static void again_and_again(struct host *(*host)(const char *options))
{
    size_t seconds = number("REMUDA_TEST_SECONDS", 0);
    struct timespec start;
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
    do {
        with_eight_threads(host("{\"max_warm\": 4, \"max_processes\": 4}"));
        CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    } while ((size_t)(now.tv_sec - start.tv_sec) < seconds);
}

static void t1_eight_threads_call_at_once_in_push_mode(void)
{
    again_and_again(host_push);
}

static void t1_eight_threads_call_at_once_in_pull_mode(void)
{
    again_and_again(host_pull);
}

const struct test load_tests[] = {
    TEST(t1_eight_threads_call_at_once_in_push_mode),
    TEST(t1_eight_threads_call_at_once_in_pull_mode),
    {NULL, NULL},
};
