/* The threading contract, T1 to T8 and T12. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A turn from its start to its end in one session. */
static void whole_turn(struct host *host)
{
    int mark = 0;
    remuda_session session = open_session(host, NULL, &mark);
    remuda_turn turn = send_text(host, session, "hello", 7);
    struct seen end = wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    struct seen piece = wait_for(host, session, REMUDA_EVENT_TEXT_DELTA, 1);
    struct seen whole = wait_for(host, session, REMUDA_EVENT_MESSAGE, 1);
    struct seen start = wait_for(host, session, REMUDA_EVENT_TURN_STARTED, 1);
    CHECK(wait_for(host, session, REMUDA_EVENT_SESSION_OPENED, 1).event.seq == 1);
    CHECK(start.event.turn == turn && piece.event.turn == turn && end.event.turn == turn);
    CHECK(start.event.tag == 7 && piece.event.tag == 7 && end.event.tag == 7);
    CHECK(piece.event.json == NULL && piece.event.json_len == 0);
    CHECK(strncmp("You said: hello", piece.text, piece.event.text_len) == 0);
    CHECK(whole.event.json == NULL && strcmp(whole.text, "You said: hello") == 0);
    CHECK(strcmp(end.text, "You said: hello") == 0 && contains(end.json, "\"duration_ms\":"));
    CHECK(end.event.status == REMUDA_STATUS_OK);
    CHECK(end.event.session_data == &mark);
    GOOD(remuda_session_close(host->pool, session, &err));
    CHECK(contains(wait_for(host, session, REMUDA_EVENT_SESSION_CLOSED, 1).json, "\"left\":[]"));
    BAD(REMUDA_STATUS_CLOSED, "session",
        remuda_session_send(host->pool, session, "x", 1, 0, NULL, &err));
}

static void a_turn_is_pushed(void)
{
    struct host *host = host_push(NULL);
    whole_turn(host);
    host_end(host);
}

static void a_turn_is_pulled(void)
{
    struct host *host = host_pull(NULL);
    whole_turn(host);
    host_end(host);
}

static void t2_callbacks_run_on_one_thread_that_is_not_ours(void)
{
    struct host *host = host_push(NULL);
    remuda_session one = open_session(host, NULL, NULL);
    remuda_session two = open_session(host, NULL, NULL);
    send_text(host, one, "[[words 50]]", 0);
    send_text(host, two, "[[words 50]]", 0);
    wait_for(host, one, REMUDA_EVENT_TURN_COMPLETED, 1);
    wait_for(host, two, REMUDA_EVENT_TURN_COMPLETED, 1);
    CHECK(host->threads == 1);
    CHECK(!pthread_equal(host->thread, pthread_self()));
    host_end(host);
}

static void t3_no_callback_before_open_and_none_after_destroy(void)
{
    struct host *host = host_push(NULL);
    remuda_pool_stats stats;
    remuda_pool_stats_init(&stats, sizeof stats);
    GOOD(remuda_pool_get_stats(host->pool, &stats, &err));
    CHECK(host->count == 0);
    open_session(host, NULL, NULL);
    wait_for(host, 0, REMUDA_EVENT_SESSION_OPENED, 1);
    /* The callback itself checks that it does not come after destroy. */
    remuda_pool_free(host->pool);
    CHECK(host->destroyed == 1);
    alone();
    CHECK(host->destroyed == 1);
    host_drop(host);
}

static void t4_a_failed_call_causes_no_event_and_each_accepted_one_has_one_end(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_turn turn = send_text(host, session, "[[hang]]", 1);
    wait_for(host, session, REMUDA_EVENT_PROCESS_STARTED, 1);
    BAD(REMUDA_STATUS_TURN_IN_PROGRESS, "still running",
        remuda_session_send(host->pool, session, "x", 1, 2, NULL, &err));
    BAD(REMUDA_STATUS_INVALID_ARGUMENT, "answer_json",
        remuda_session_answer(host->pool, session, 1, "{}", 3, &err));
    BAD(REMUDA_STATUS_STALE, "queue", remuda_session_cancel(host->pool, session, turn, &err));
    /* Calls that are under way when the session is closed have their answers before its last event. */
    GOOD(remuda_session_answer(host->pool, session, 999999, "{\"answer\":\"allow\"}", 4, &err));
    GOOD(remuda_session_interrupt(host->pool, session, turn, 0, 5, &err));
    GOOD(remuda_session_change(host->pool, session, "{\"model\":\"other\"}", 6, &err));
    GOOD(remuda_session_operate(host->pool, session, "{\"operation\":\"list_models\"}", 7, &err));
    GOOD(remuda_session_close(host->pool, session, &err));
    wait_for(host, session, REMUDA_EVENT_SESSION_CLOSED, 1);
    CHECK(count_of(host, session, REMUDA_EVENT_CALL_DONE) == 4);
    CHECK(wait_done(host, session, 4).event.status == REMUDA_STATUS_STALE);
    CHECK(count_of(host, session, REMUDA_EVENT_TURN_STARTED) == 1);
    CHECK(count_of(host, session, REMUDA_EVENT_TURN_INTERRUPTED) +
              count_of(host, session, REMUDA_EVENT_TURN_FAILED) ==
          1);
    /* check_lawful in host_end sees that nothing came after the last event. */
    host_end(host);
}

static void t5_events_of_a_session_come_in_order_without_a_gap(void)
{
    struct host *push = host_push("{\"max_warm\": 3}");
    struct host *pull = host_pull("{\"max_warm\": 3}");
    struct host *hosts[2];
    remuda_session sessions[2][3];
    int h;
    int i;
    hosts[0] = push;
    hosts[1] = pull;
    for (h = 0; h < 2; h++) {
        for (i = 0; i < 3; i++) {
            sessions[h][i] = open_session(hosts[h], NULL, NULL);
            send_text(hosts[h], sessions[h][i], "[[words 200]]", 0);
        }
    }
    for (h = 0; h < 2; h++) {
        for (i = 0; i < 3; i++) {
            struct seen end = wait_for(hosts[h], sessions[h][i], REMUDA_EVENT_TURN_COMPLETED, 1);
            CHECK(contains(end.text, "word200"));
        }
    }
    /* host_end checks every seq. One pool after the other: the second still has its threads. */
    GOOD(remuda_pool_shutdown(pull->pool, 60000, NULL, NULL, &err));
    while (host_take(pull, REMUDA_FOREVER)) {
    }
    check_lawful(pull);
    remuda_pool_free(pull->pool);
    host_drop(pull);
    host_end(push);
}

/* In the callback: everything but shutdown, in the order of the header. */
static void call_everything(struct host *host, const remuda_event *event)
{
    int *done = host->own;
    remuda_session session = event->session;
    remuda_pool *pool = host->pool;
    remuda_pool_stats stats;
    const remuda_event *events[4];
    remuda_session other = 0;
    remuda_sent sent;
    size_t count = 0;
    char *json = NULL;
    int32_t fd = -1;
    if (event->kind != REMUDA_EVENT_TURN_COMPLETED || *done) {
        return;
    }
    *done = 1;
    remuda_pool_stats_init(&stats, sizeof stats);
    GOOD(remuda_pool_get_stats(pool, &stats, &err));
    CHECK(stats.sessions == 1 && stats.turns_completed == 1);
    GOOD(remuda_pool_options(pool, &json, NULL, &err));
    remuda_string_free(json);
    GOOD(remuda_session_options(pool, session, &json, NULL, &err));
    remuda_string_free(json);
    GOOD(remuda_session_snapshot(pool, session, &json, NULL, &err));
    remuda_string_free(json);
    GOOD(remuda_session_replay(pool, session, 1, events, 4, &count, &err));
    CHECK(count == 4 && events[0]->kind == REMUDA_EVENT_SESSION_OPENED);
    remuda_events_release(events, count);
    GOOD(remuda_session_hold(pool, session, &err));
    GOOD(remuda_session_unhold(pool, session, &err));
    GOOD(try_open(pool, NULL, NULL, &other, &err));
    GOOD(remuda_session_close(pool, other, &err));
    GOOD(send_message(pool, session, "[[hang]]", 11, REMUDA_ON_BUSY_QUEUE, NULL, &sent, &err));
    CHECK(sent.state == REMUDA_SENT_STARTED && sent.turn != 0);
    GOOD(remuda_session_interrupt(pool, session, sent.turn, 0, 12, &err));
    GOOD(remuda_session_answer(pool, session, 999999, "{\"answer\":\"allow\"}", 13, &err));
    GOOD(remuda_session_change(pool, session, "{\"model\":\"other\"}", 14, &err));
    GOOD(remuda_session_operate(pool, session, "{\"operation\":\"list_models\"}", 15, &err));
    BAD(REMUDA_STATUS_WOULD_DEADLOCK, "callback",
        remuda_pool_shutdown(pool, 1000, NULL, NULL, &err));
    BAD(REMUDA_STATUS_WRONG_MODE, "on_event",
        remuda_pool_next_events(pool, events, 4, 0, &count, &err));
    BAD(REMUDA_STATUS_WRONG_MODE, "on_event", remuda_pool_wake_fd(pool, &fd, &err));
}

static void t6_a_callback_may_call_everything_but_shutdown(void)
{
    int done = 0;
    struct host *host = host_push_also(NULL, call_everything, &done);
    remuda_session session = open_session(host, NULL, NULL);
    uint64_t tag;
    send_text(host, session, "hello", 10);
    for (tag = 12; tag <= 15; tag++) {
        wait_done(host, session, tag);
    }
    wait_for(host, session, REMUDA_EVENT_TURN_INTERRUPTED, 1);
    host_end(host);
}

/* Frees the pool in the middle of a turn's text. */
static void free_the_pool(struct host *host, const remuda_event *event)
{
    int *after = host->own;
    CHECK(*after == 0);
    if (event->kind == REMUDA_EVENT_TEXT_DELTA) {
        remuda_pool *pool = host->pool;
        remuda_pool_free(pool);
        *after = 1;
        pthread_mutex_lock(&host->lock);
        CHECK(host->destroyed == 0);
        pthread_mutex_unlock(&host->lock);
        BAD(REMUDA_STATUS_CLOSED, "pool",
            remuda_session_close(pool, event->session, &err));
    }
}

static void t7_free_in_a_callback_does_not_wait_and_destroy_is_last(void)
{
    int after = 0;
    struct host *host = host_push_also(NULL, free_the_pool, &after);
    remuda_session session = open_session(host, NULL, NULL);
    send_text(host, session, "[[words 30]]", 0);
    alone();
    CHECK(after == 1);
    CHECK(host->destroyed == 1);
    host_drop(host);
}

static void linger(struct host *host, const remuda_event *event)
{
    int *state = host->own;
    if (event->kind == REMUDA_EVENT_SESSION_OPENED) {
        int naps;
        pthread_mutex_lock(&host->lock);
        *state = 1;
        pthread_cond_broadcast(&host->more);
        pthread_mutex_unlock(&host->lock);
        for (naps = 0; naps < 50; naps++) {
            nap();
        }
        *state = 2;
    }
}

static void t7_free_elsewhere_waits_for_the_callback_and_destroy(void)
{
    int state = 0;
    struct host *host = host_push_also(NULL, linger, &state);
    open_session(host, NULL, NULL);
    pthread_mutex_lock(&host->lock);
    while (state == 0) {
        pthread_cond_wait(&host->more, &host->lock);
    }
    pthread_mutex_unlock(&host->lock);
    remuda_pool_free(host->pool);
    CHECK(state == 2);
    CHECK(host->destroyed == 1);
    alone();
    host_drop(host);
}

/* A gate in front of the first piece of text: the host is slow until it is opened. */
struct gate {
    int open;
    int reached;
};

static void wait_at_gate(struct host *host, const remuda_event *event)
{
    struct gate *gate = host->own;
    if (event->kind == REMUDA_EVENT_TEXT_DELTA) {
        pthread_mutex_lock(&host->lock);
        gate->reached = 1;
        pthread_cond_broadcast(&host->more);
        while (!gate->open) {
            pthread_cond_wait(&host->more, &host->lock);
        }
        pthread_mutex_unlock(&host->lock);
    }
}

static void t8_a_slow_host_loses_nothing_and_other_calls_stay_fast(void)
{
    struct gate gate = {0, 0};
    struct host *host = host_push_also("{\"log_bytes\": 65536}", wait_at_gate, &gate);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_session other = open_session(host, NULL, NULL);
    remuda_turn turn;
    char *json = NULL;
    size_t i;
    size_t bytes = 0;
    size_t pieces = 0;
    send_text(host, session, "[[bytes 3000000]]", 0);
    pthread_mutex_lock(&host->lock);
    while (!gate.reached) {
        pthread_cond_wait(&host->more, &host->lock);
    }
    pthread_mutex_unlock(&host->lock);
    /* The callback stands still. None of these waits for it. */
    turn = send_text(host, other, "[[hang]]", 0);
    GOOD(remuda_session_interrupt(host->pool, other, turn, 0, 1, &err));
    GOOD(remuda_session_close(host->pool, other, &err));
    GOOD(remuda_session_snapshot(host->pool, session, &json, NULL, &err));
    remuda_string_free(json);
    GOOD(remuda_pool_shutdown(host->pool, 200, &json, NULL, &err));
    CHECK(!contains(json, "\"undelivered\":[]"));
    remuda_string_free(json);
    pthread_mutex_lock(&host->lock);
    gate.open = 1;
    pthread_cond_broadcast(&host->more);
    pthread_mutex_unlock(&host->lock);
    wait_for(host, session, REMUDA_EVENT_SESSION_CLOSED, 1);
    for (i = 0; i < host->count; i++) {
        if (host->seen[i].event.kind == REMUDA_EVENT_TEXT_DELTA) {
            bytes += host->seen[i].event.text_len;
            pieces++;
        }
    }
    CHECK(bytes > 0 && pieces > 0);
    host_end(host);
}

static void t8_text_that_waits_is_merged_and_whole(void)
{
    struct host *host = host_pull("{\"log_bytes\": 65536}");
    remuda_session session = open_session(host, NULL, NULL);
    char *snapshot = NULL;
    size_t i;
    size_t bytes = 0;
    size_t pieces = 0;
    int naps;
    send_text(host, session, "[[words 20000]]", 0);
    /* Nobody reads until the log is full: the agent waits, and its words melt into larger pieces. */
    for (naps = 0; naps < 300; naps++) {
        nap();
    }
    GOOD(remuda_session_snapshot(host->pool, session, &snapshot, NULL, &err));
    CHECK(number_in(snapshot, "next_seq") < 1000);
    remuda_string_free(snapshot);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    for (i = 0; i < host->count; i++) {
        if (host->seen[i].event.kind == REMUDA_EVENT_TEXT_DELTA) {
            bytes += host->seen[i].event.text_len;
            pieces++;
        }
    }
    /* word1 to word20000 and a space each. */
    CHECK(bytes == 20000 * 5 + (9 + 90 * 2 + 900 * 3 + 9000 * 4 + 10001 * 5));
    CHECK(pieces < 20000);
    host_end(host);
}

static int readable(int32_t fd, int timeout_ms)
{
    struct pollfd wait;
    wait.fd = fd;
    wait.events = POLLIN;
    wait.revents = 0;
    return poll(&wait, 1, timeout_ms) == 1;
}

static void t12_in_pull_mode_no_foreign_thread_enters_and_the_descriptor_tells(void)
{
    struct host *host = host_pull(NULL);
    remuda_session session;
    int32_t fd = -1;
    int32_t again = -1;
    GOOD(remuda_pool_wake_fd(host->pool, &fd, &err));
    GOOD(remuda_pool_wake_fd(host->pool, &again, &err));
    CHECK(fd >= 0 && again == fd);
    CHECK(!readable(fd, 0));
    session = open_session(host, NULL, NULL);
    CHECK(readable(fd, 60000));
    while (count_of(host, session, REMUDA_EVENT_SESSION_OPENED) == 0) {
        CHECK(host_take(host, 0));
    }
    CHECK(host_take(host, 0));
    CHECK(!readable(fd, 0));
    send_text(host, session, "hello", 0);
    while (count_of(host, session, REMUDA_EVENT_TURN_COMPLETED) == 0) {
        CHECK(readable(fd, 60000));
        CHECK(host_take(host, 0));
    }
    /* on_event was never set: nobody was called. */
    CHECK(host->threads == 0);
    GOOD(remuda_session_close(host->pool, session, &err));
    GOOD(remuda_pool_shutdown(host->pool, 60000, NULL, NULL, &err));
    while (host_take(host, 0)) {
        CHECK(readable(fd, 60000));
    }
    CHECK(count_of(host, session, REMUDA_EVENT_SESSION_CLOSED) == 1);
    remuda_pool_free(host->pool);
    CHECK(host->destroyed == 1);
    host_drop(host);
    alone();
}

const struct test contract_tests[] = {
    TEST(a_turn_is_pushed),
    TEST(a_turn_is_pulled),
    TEST(t2_callbacks_run_on_one_thread_that_is_not_ours),
    TEST(t3_no_callback_before_open_and_none_after_destroy),
    TEST(t4_a_failed_call_causes_no_event_and_each_accepted_one_has_one_end),
    TEST(t5_events_of_a_session_come_in_order_without_a_gap),
    TEST(t6_a_callback_may_call_everything_but_shutdown),
    TEST(t7_free_in_a_callback_does_not_wait_and_destroy_is_last),
    TEST(t7_free_elsewhere_waits_for_the_callback_and_destroy),
    TEST(t8_a_slow_host_loses_nothing_and_other_calls_stay_fast),
    TEST(t8_text_that_waits_is_merged_and_whole),
    TEST(t12_in_pull_mode_no_foreign_thread_enters_and_the_descriptor_tells),
    {NULL, NULL},
};
