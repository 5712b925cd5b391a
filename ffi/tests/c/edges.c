/* Edges: little room, failures that write nothing, calls that meet each other. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
                    CHECK(events[i]->tag == 100 + answers);
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

const struct test edges_tests[] = {
    TEST(no_more_events_are_given_out_than_there_is_room_for),
    {NULL, NULL},
};
