/* Everything that can be done with a session beside sending text. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *snapshot(struct host *host, remuda_session session)
{
    char *json = NULL;
    size_t len = 0;
    GOOD(remuda_session_snapshot(host->pool, session, &json, &len, &err));
    CHECK(strlen(json) == len);
    return json;
}

static void what_waits_can_be_edited_and_cancelled(void)
{
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_turn first = send_text(host, session, "[[hang]]", 1);
    remuda_sent second;
    remuda_sent third;
    remuda_message message;
    char *json;
    struct seen end;
    wait_for(host, session, REMUDA_EVENT_PROCESS_STARTED, 1);
    GOOD(send_message(host->pool, session, "two", 2, REMUDA_ON_BUSY_QUEUE, NULL, &second, &err));
    GOOD(send_message(host->pool, session, "three", 3, REMUDA_ON_BUSY_QUEUE, NULL, &third, &err));
    CHECK(second.state == REMUDA_SENT_QUEUED && second.position == 0 && second.turn != 0);
    CHECK(third.state == REMUDA_SENT_QUEUED && third.position == 1);
    remuda_message_init(&message, sizeof message);
    message.text = "changed";
    message.text_len = 7;
    GOOD(remuda_session_edit(host->pool, session, second.turn, &message, &err));
    GOOD(remuda_session_cancel(host->pool, session, third.turn, &err));
    json = snapshot(host, session);
    CHECK(contains(json, "\"text\":\"changed\"") && !contains(json, "three"));
    CHECK(number_in(json, "running") == first);
    remuda_string_free(json);
    BAD(REMUDA_STATUS_STALE, "queue",
        remuda_session_edit(host->pool, session, third.turn, &message, &err));
    GOOD(remuda_session_interrupt(host->pool, session, first, 0, 9, &err));
    end = wait_done(host, session, 9);
    CHECK(end.event.turn == first && strcmp(end.json, "{\"receipt\":\"delivered\"}") == 0);
    end = wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    CHECK(end.event.turn == second.turn && end.event.tag == 2);
    CHECK(strcmp(end.text, "You said: changed") == 0);
    CHECK(count_of(host, session, REMUDA_EVENT_TURN_INTERRUPTED) == 2);
    GOOD(remuda_session_interrupt(host->pool, session, first, 0, 10, &err));
    CHECK(strcmp(wait_done(host, session, 10).json, "{\"receipt\":\"too_late\"}") == 0);
    host_end(host);
}

static void an_interrupt_may_take_the_queue_with_it(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_turn first = send_text(host, session, "[[hang]]", 1);
    remuda_sent second;
    wait_for(host, session, REMUDA_EVENT_PROCESS_STARTED, 1);
    GOOD(send_message(host->pool, session, "two", 2, REMUDA_ON_BUSY_QUEUE, NULL, &second, &err));
    /* The call is known at once, and told by an event all the same. */
    GOOD(remuda_session_interrupt(host->pool, session, second.turn, 0, 8, &err));
    CHECK(wait_done(host, session, 8).event.status == REMUDA_STATUS_OK);
    GOOD(send_message(host->pool, session, "three", 3, REMUDA_ON_BUSY_QUEUE, NULL, &second, &err));
    GOOD(remuda_session_interrupt(host->pool, session, first,
                                  REMUDA_INTERRUPT_KEEP_COMMANDS | REMUDA_INTERRUPT_DROP_QUEUE, 9,
                                  &err));
    wait_done(host, session, 9);
    wait_for(host, session, REMUDA_EVENT_TURN_INTERRUPTED, 3);
    CHECK(count_of(host, session, REMUDA_EVENT_TURN_COMPLETED) == 0);
    BAD(REMUDA_STATUS_INVALID_ARGUMENT, "flags",
        remuda_session_interrupt(host->pool, session, first, 4, 9, &err));
    host_end(host);
}

/* Whether it joins is the agent's business: it may be too late. What is said of it must fit what happened. */
static void a_message_that_is_to_join_is_told_of_by_the_call(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_turn first = send_text(host, session, "[[tool Bash make 1000]] [[say end]]", 1);
    remuda_sent sent;
    struct seen done;
    wait_for(host, session, REMUDA_EVENT_TOOL_USE, 1);
    GOOD(send_message(host->pool, session, "[[say more]]", 5, REMUDA_ON_BUSY_STEER, NULL, &sent,
                      &err));
    CHECK(sent.state == REMUDA_SENT_UNDER_WAY && sent.turn == 0);
    done = wait_done(host, session, 5);
    CHECK(done.event.status == REMUDA_STATUS_OK && done.event.seq == 0);
    if (contains(done.json, "\"sent\":\"steered\"")) {
        /* The answer came after the event. */
        struct seen joined = wait_for(host, session, REMUDA_EVENT_STEERED, 1);
        CHECK(number_in(done.json, "into") == first);
        CHECK(joined.event.tag == 5 && strcmp(joined.text, "[[say more]]") == 0);
    } else {
        /* It has a turn of its own, with its tag. */
        remuda_turn own = number_in(done.json, "turn");
        struct seen start = wait_for(host, session, REMUDA_EVENT_TURN_STARTED, 2);
        CHECK(own > first && start.event.turn == own && start.event.tag == 5);
        wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 2);
    }
    CHECK(wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1).event.tag == 1);
    host_end(host);
}

static void a_message_that_is_to_join_starts_where_nothing_runs(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_sent sent;
    struct seen done;
    GOOD(send_message(host->pool, session, "hello", 6, REMUDA_ON_BUSY_STEER, NULL, &sent, &err));
    CHECK(sent.state == REMUDA_SENT_UNDER_WAY);
    done = wait_done(host, session, 6);
    CHECK(contains(done.json, "{\"sent\":\"started\",\"turn\":"));
    CHECK(wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1).event.turn ==
          number_in(done.json, "turn"));
    host_end(host);
}

static void a_question_is_answered_once(void)
{
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, "\"requests\": \"host\"", NULL);
    struct seen asked;
    struct seen done;
    char *json;
    send_text(host, session, "[[ask Bash \"rm x\" 0]]", 1);
    asked = wait_for(host, session, REMUDA_EVENT_REQUEST_OPENED, 1);
    CHECK(asked.event.request != 0 && contains(asked.text, "rm x"));
    CHECK(contains(asked.json, "\"allow_once\""));
    json = snapshot(host, session);
    CHECK(number_in(json, "request") == asked.event.request);
    remuda_string_free(json);
    GOOD(remuda_session_answer(host->pool, session, asked.event.request,
                               "{\"answer\":\"result\",\"text\":\"x\"}", 2, &err));
    done = wait_done(host, session, 2);
    CHECK(done.event.status == REMUDA_STATUS_INVALID_ARGUMENT && done.json == NULL);
    CHECK(done.event.request == asked.event.request && done.event.text_len > 0);
    GOOD(remuda_session_answer(host->pool, session, asked.event.request,
                               "{\"answer\":\"allow\"}", 3, &err));
    GOOD(remuda_session_answer(host->pool, session, asked.event.request, "{\"answer\":\"deny\"}", 4,
                               &err));
    done = wait_done(host, session, 3);
    CHECK(done.event.status == REMUDA_STATUS_OK && done.json == NULL && done.event.text_len == 0);
    CHECK(wait_done(host, session, 4).event.status == REMUDA_STATUS_ALREADY_ANSWERED);
    CHECK(wait_for(host, session, REMUDA_EVENT_REQUEST_RESOLVED, 1).event.request ==
          asked.event.request);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    host_end(host);
}

static void settings_change_and_operations_give_json(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    struct seen done;
    send_text(host, session, "hello", 0);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    GOOD(remuda_session_change(host->pool, session, "{\"model\": \"other\"}", 1, &err));
    done = wait_done(host, session, 1);
    CHECK(done.event.status == REMUDA_STATUS_OK && contains(done.json, "{\"how\":\""));
    CHECK(count_of(host, session, REMUDA_EVENT_SETTINGS_CHANGED) == 1);
    GOOD(remuda_session_operate(host->pool, session, "{\"operation\": \"list_models\"}", 2, &err));
    done = wait_done(host, session, 2);
    CHECK(done.event.tag == 2);
    CHECK(done.event.status != REMUDA_STATUS_OK || contains(done.json, "models"));
    CHECK(done.event.status == REMUDA_STATUS_OK || done.event.text_len > 0);
    host_end(host);
}

static void holds_are_counted(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    BAD(REMUDA_STATUS_INVALID_ARGUMENT, "not held",
        remuda_session_unhold(host->pool, session, &err));
    GOOD(remuda_session_hold(host->pool, session, &err));
    GOOD(remuda_session_hold(host->pool, session, &err));
    GOOD(remuda_session_unhold(host->pool, session, &err));
    GOOD(remuda_session_unhold(host->pool, session, &err));
    BAD(REMUDA_STATUS_INVALID_ARGUMENT, "not held",
        remuda_session_unhold(host->pool, session, &err));
    host_end(host);
}

static void a_held_session_keeps_its_process(void)
{
    struct host *host = host_push("{\"max_warm\": 1}");
    remuda_pool_stats stats;
    remuda_session held = open_session(host, NULL, NULL);
    remuda_session other = open_session(host, NULL, NULL);
    GOOD(remuda_session_hold(host->pool, held, &err));
    send_text(host, held, "one", 0);
    wait_for(host, held, REMUDA_EVENT_TURN_COMPLETED, 1);
    send_text(host, other, "two", 0);
    wait_for(host, other, REMUDA_EVENT_TURN_COMPLETED, 1);
    CHECK(count_of(host, held, REMUDA_EVENT_EVICTED) == 0);
    CHECK(count_of(host, other, REMUDA_EVENT_SPILLED) == 1);
    GOOD(remuda_session_unhold(host->pool, held, &err));
    /* The pool hears of it a moment later; until then the next turn would be spilled too. */
    do {
        nap();
        remuda_pool_stats_init(&stats, sizeof stats);
        GOOD(remuda_pool_get_stats(host->pool, &stats, &err));
    } while (stats.idle == 0);
    send_text(host, other, "three", 0);
    wait_for(host, held, REMUDA_EVENT_EVICTED, 1);
    host_end(host);
}

static void events_are_replayed_from_any_seq(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, &host);
    const remuda_event *events[64];
    size_t count = 0;
    size_t i;
    char *json;
    uint64_t last;
    send_text(host, session, "hello", 5);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    json = snapshot(host, session);
    last = number_in(json, "next_seq") - 1;
    remuda_string_free(json);
    GOOD(remuda_session_replay(host->pool, session, 0, events, 64, &count, &err));
    CHECK(count >= last);
    for (i = 0; i < count; i++) {
        CHECK(events[i]->seq == i + 1 && events[i]->session == session);
        CHECK(events[i]->session_data == &host);
        if (events[i]->kind == REMUDA_EVENT_TURN_STARTED) {
            CHECK(events[i]->tag == 5);
        }
    }
    remuda_events_release(events, count);
    GOOD(remuda_session_replay(host->pool, session, last, events, 1, &count, &err));
    CHECK(count == 1 && events[0]->seq == last);
    remuda_events_release(events, count);
    GOOD(remuda_session_replay(host->pool, session, last + 1000, events, 64, &count, &err));
    CHECK(count == 0);
    host_end(host);
}

static void a_message_has_attachments_a_budget_and_a_schema(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_sent sent;
    struct seen end;
    GOOD(send_message(host->pool, session, "[[hang]]", 1, REMUDA_ON_BUSY_REJECT,
                      "{\"budget\": {\"max_duration_ms\": 50}, \"attachments\": "
                      "[{\"bytes\": \"aGVsbG8=\", \"media_type\": \"text/plain\", \"name\": \"a\"}]}",
                      &sent, &err));
    CHECK(sent.state == REMUDA_SENT_STARTED);
    end = wait_for(host, session, REMUDA_EVENT_TURN_FAILED, 1);
    CHECK(end.event.status == REMUDA_STATUS_BUDGET_EXCEEDED && end.event.tag == 1);
    CHECK(end.event.turn == sent.turn);
    /* The output may be left out. */
    GOOD(send_message(host->pool, session, "hello", 2, REMUDA_ON_BUSY_QUEUE, NULL, NULL, &err));
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    host_end(host);
}

static void options_and_capabilities_can_be_read(void)
{
    struct host *host = host_pull("{\"max_warm\": 3}");
    remuda_session session = open_session(host, "\"labels\": {\"a\": \"b\"}", NULL);
    char *json = NULL;
    size_t len = 0;
    remuda_pool_stats stats;
    GOOD(remuda_pool_options(host->pool, &json, &len, &err));
    CHECK(number_in(json, "max_warm") == 3 && strlen(json) == len);
    remuda_string_free(json);
    GOOD(remuda_session_options(host->pool, session, &json, NULL, &err));
    CHECK(contains(json, "\"labels\":{\"a\":\"b\"}"));
    remuda_string_free(json);
    GOOD(remuda_capabilities("claude", &json, NULL, &err));
    CHECK(contains(json, "\"steer\":{\"warm\":true"));
    remuda_string_free(json);
    GOOD(remuda_capabilities(NULL, &json, &len, &err));
    CHECK(contains(json, "\"codex\":{") && strlen(json) == len);
    remuda_string_free(json);
    BAD(REMUDA_STATUS_INVALID_ARGUMENT, "provider",
        remuda_capabilities("nobody", &json, NULL, &err));
    remuda_pool_stats_init(&stats, sizeof stats);
    GOOD(remuda_pool_get_stats(host->pool, &stats, &err));
    CHECK(stats.max_warm == 3 && stats.max_processes == 6);
    CHECK(stats.struct_size == sizeof stats);
    host_end(host);
}

static void the_doctor_tells_of_every_agent(void)
{
    char *json = NULL;
    size_t len = 0;
    GOOD(remuda_doctor(0, &json, &len, &err));
    CHECK(strlen(json) == len && contains(json, "\"containment\":\"guard\""));
    CHECK(contains(json, "{\"provider\":\"claude\",") && contains(json, "{\"provider\":\"paseo\","));
    remuda_string_free(json);
    /* None of these is installed there. */
    CHECK(setenv("PATH", "/proc", 1) == 0);
    GOOD(remuda_doctor(60000, &json, NULL, &err));
    CHECK(contains(json, "\"program\":null") && contains(json, "looked in /proc"));
    remuda_string_free(json);
}

static void names_and_versions_are_there(void)
{
    CHECK(strcmp(remuda_status_name(REMUDA_STATUS_CLOSED), "closed") == 0);
    CHECK(strcmp(remuda_status_name(REMUDA_STATUS_PANIC), "panic") == 0);
    CHECK(strcmp(remuda_status_name(REMUDA_STATUS_OK), "ok") == 0);
    CHECK(strcmp(remuda_status_name(4711), "unknown") == 0);
    CHECK(strcmp(remuda_event_kind_name(REMUDA_EVENT_TEXT_DELTA), "text_delta") == 0);
    CHECK(strcmp(remuda_event_kind_name(REMUDA_EVENT_CALL_DONE), "call_done") == 0);
    CHECK(strcmp(remuda_event_kind_name(0), "unknown") == 0);
    CHECK(remuda_abi_version() == REMUDA_ABI_VERSION);
    CHECK(strchr(remuda_version(), '.') != NULL);
}

static void a_session_may_bring_tools_of_the_host(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(
        host,
        "\"requests\": \"host\", \"tools\": [{\"name\": \"shout\", \"description\": \"shouts\", "
        "\"input_schema\": {\"type\": \"object\"}}]",
        NULL);
    send_text(host, session, "hello", 0);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    host_end(host);
}

const struct test control_tests[] = {
    TEST(what_waits_can_be_edited_and_cancelled),
    TEST(an_interrupt_may_take_the_queue_with_it),
    TEST(a_message_that_is_to_join_is_told_of_by_the_call),
    TEST(a_message_that_is_to_join_starts_where_nothing_runs),
    TEST(a_question_is_answered_once),
    TEST(settings_change_and_operations_give_json),
    TEST(holds_are_counted),
    TEST(a_held_session_keeps_its_process),
    TEST(events_are_replayed_from_any_seq),
    TEST(a_message_has_attachments_a_budget_and_a_schema),
    TEST(options_and_capabilities_can_be_read),
    TEST(the_doctor_tells_of_every_agent),
    TEST(names_and_versions_are_there),
    TEST(a_session_may_bring_tools_of_the_host),
    {NULL, NULL},
};
