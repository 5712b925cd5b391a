/* Bad input: NULL, wrong sizes, text that is not UTF-8, JSON that is wrong, ids that are stale. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <stdlib.h>
#include <string.h>

#define INVALID REMUDA_STATUS_INVALID_ARGUMENT

static void null_for_each_pointer_is_an_error_or_nothing(void)
{
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_pool *pool = host->pool;
    const remuda_event *events[4];
    size_t count = 0;
    char *json = NULL;
    remuda_message message;
    remuda_message_init(&message, sizeof message);
    message.text = "x";
    message.text_len = 1;

    BAD(INVALID, "pool", remuda_pool_new(NULL, NULL, &err));
    BAD(INVALID, "stats", remuda_pool_get_stats(pool, NULL, &err));
    BAD(INVALID, "json", remuda_pool_options(pool, NULL, &count, &err));
    BAD(INVALID, "events", remuda_pool_next_events(pool, NULL, 4, 0, &count, &err));
    BAD(INVALID, "count", remuda_pool_next_events(pool, events, 4, 0, NULL, &err));
    BAD(INVALID, "capacity", remuda_pool_next_events(pool, events, 0, 0, &count, &err));
    BAD(INVALID, "fd", remuda_pool_wake_fd(pool, NULL, &err));
    BAD(INVALID, "config", remuda_session_open(pool, NULL, &session, &err));
    BAD(INVALID, "text", remuda_session_send(pool, session, NULL, 4, 0, NULL, &err));
    BAD(INVALID, "message", remuda_session_send(pool, session, NULL, 0, 0, NULL, &err));
    BAD(INVALID, "message", remuda_session_send_message(pool, session, NULL, NULL, &err));
    BAD(INVALID, "message", remuda_session_edit(pool, session, 1, NULL, &err));
    BAD(INVALID, "answer_json", remuda_session_answer(pool, session, 1, NULL, 0, &err));
    BAD(INVALID, "change_json", remuda_session_change(pool, session, NULL, 0, &err));
    BAD(INVALID, "operation_json", remuda_session_operate(pool, session, NULL, 0, &err));
    BAD(INVALID, "json", remuda_session_snapshot(pool, session, NULL, NULL, &err));
    BAD(INVALID, "json", remuda_session_options(pool, session, NULL, NULL, &err));
    BAD(INVALID, "events", remuda_session_replay(pool, session, 1, NULL, 4, &count, &err));
    BAD(INVALID, "count", remuda_session_replay(pool, session, 1, events, 4, NULL, &err));
    BAD(INVALID, "json", remuda_capabilities(NULL, NULL, NULL, &err));
    BAD(INVALID, "json", remuda_doctor(0, NULL, NULL, &err));
    message.text = NULL;
    BAD(INVALID, "text", remuda_session_send_message(pool, session, &message, NULL, &err));

    BAD(INVALID, "pool", remuda_pool_shutdown(NULL, 0, NULL, NULL, &err));
    BAD(INVALID, "pool", remuda_pool_get_stats(NULL, NULL, &err));
    BAD(INVALID, "pool", remuda_pool_options(NULL, &json, NULL, &err));
    BAD(INVALID, "pool", remuda_pool_next_events(NULL, events, 4, 0, &count, &err));
    BAD(INVALID, "pool", remuda_pool_wake_fd(NULL, NULL, &err));
    BAD(INVALID, "pool", remuda_session_open(NULL, NULL, NULL, &err));
    BAD(INVALID, "pool", remuda_session_send(NULL, session, "x", 1, 0, NULL, &err));
    BAD(INVALID, "pool", remuda_session_send_message(NULL, session, &message, NULL, &err));
    BAD(INVALID, "pool", remuda_session_edit(NULL, session, 1, &message, &err));
    BAD(INVALID, "pool", remuda_session_cancel(NULL, session, 1, &err));
    BAD(INVALID, "pool", remuda_session_interrupt(NULL, session, 1, 0, 0, &err));
    BAD(INVALID, "pool", remuda_session_answer(NULL, session, 1, "{}", 0, &err));
    BAD(INVALID, "pool", remuda_session_change(NULL, session, "{}", 0, &err));
    BAD(INVALID, "pool", remuda_session_operate(NULL, session, "{}", 0, &err));
    BAD(INVALID, "pool", remuda_session_hold(NULL, session, &err));
    BAD(INVALID, "pool", remuda_session_unhold(NULL, session, &err));
    BAD(INVALID, "pool", remuda_session_snapshot(NULL, session, &json, NULL, &err));
    BAD(INVALID, "pool", remuda_session_options(NULL, session, &json, NULL, &err));
    BAD(INVALID, "pool", remuda_session_replay(NULL, session, 1, events, 4, &count, &err));
    BAD(INVALID, "pool", remuda_session_close(NULL, session, &err));

    /* Where no error object is wanted, the status says it alone. */
    CHECK(remuda_session_close(NULL, session, NULL) == INVALID);
    CHECK(remuda_pool_new(NULL, NULL, NULL) == INVALID);

    /* These take NULL and do nothing. */
    remuda_pool_free(NULL);
    remuda_error_free(NULL);
    remuda_string_free(NULL);
    remuda_events_release(NULL, 4);
    events[0] = NULL;
    remuda_events_release(events, 1);
    remuda_pool_config_init(NULL, 8);
    remuda_session_config_init(NULL, 8);
    remuda_message_init(NULL, 8);
    remuda_sent_init(NULL, 8);
    remuda_pool_stats_init(NULL, 8);
    CHECK(remuda_error_status(NULL) == REMUDA_STATUS_OK);
    CHECK(strcmp(remuda_error_message(NULL), "") == 0);
    CHECK(json == NULL);

    /* A pool without a config is one that is pulled. */
    pool = NULL;
    GOOD(remuda_pool_new(NULL, &pool, &err));
    GOOD(remuda_pool_next_events(pool, events, 4, 0, &count, &err));
    CHECK(count == 0);
    remuda_pool_free(pool);
    host_end(host);
}

/* A config in memory of exactly its size, so that a sanitizer sees every byte too many. */
static void *exactly(size_t size, const void *from)
{
    void *copy = malloc(size);
    CHECK(copy != NULL);
    memcpy(copy, from, size);
    memcpy(copy, &size, sizeof size);
    return copy;
}

static void structs_may_be_shorter_or_longer_than_the_library_knows(void)
{
    struct host *host = host_pull(NULL);
    struct {
        remuda_pool_config known;
        char unknown[64];
    } wide;
    struct {
        remuda_pool_stats known;
        char unknown[16];
    } stats;
    remuda_pool_config config;
    remuda_session_config session_config;
    remuda_message message;
    remuda_sent sent;
    remuda_pool *pool = NULL;
    remuda_session session = open_session(host, NULL, NULL);
    void *copy;
    size_t size = sizeof(size_t) - 1;

    /* Too small to be a size at all: nothing is written, nothing is read. */
    memset(&config, 0xee, sizeof config);
    remuda_pool_config_init(&config, size);
    CHECK(((unsigned char *)&config)[0] == 0xee);
    memset(&config, 0, sizeof config);
    BAD(INVALID, "struct_size is 0", remuda_pool_new(&config, &pool, &err));
    memset(&session_config, 0, sizeof session_config);
    BAD(INVALID, "struct_size is 0",
        remuda_session_open(host->pool, &session_config, NULL, &err));
    memset(&message, 0, sizeof message);
    BAD(INVALID, "struct_size is 0",
        remuda_session_send_message(host->pool, session, &message, NULL, &err));
    BAD(INVALID, "struct_size is 0", remuda_session_edit(host->pool, session, 1, &message, &err));
    memset(&sent, 0, sizeof sent);
    remuda_message_init(&message, sizeof message);
    message.text = "x";
    message.text_len = 1;
    BAD(INVALID, "struct_size is 0",
        remuda_session_send_message(host->pool, session, &message, &sent, &err));
    memset(&stats, 0, sizeof stats);
    BAD(INVALID, "struct_size is 0", remuda_pool_get_stats(host->pool, &stats.known, &err));

    /* A struct ends where a version of the header ended it, not anywhere. */
    for (size = 0; size < sizeof config; size++) {
        remuda_pool_config_init(&config, sizeof config);
        copy = exactly(size < sizeof(size_t) ? sizeof(size_t) : size, &config);
        BAD(INVALID, "config: struct_size", remuda_pool_new(copy, &pool, &err));
        free(copy);
    }
    remuda_session_config_init(&session_config, sizeof session_config);
    for (size = sizeof(size_t); size < sizeof session_config; size += 4) {
        copy = exactly(size, &session_config);
        BAD(INVALID, "config: struct_size", remuda_session_open(host->pool, copy, NULL, &err));
        free(copy);
    }
    for (size = sizeof(size_t); size < sizeof message; size += 4) {
        copy = exactly(size, &message);
        BAD(INVALID, "message: struct_size",
            remuda_session_send_message(host->pool, session, copy, NULL, &err));
        free(copy);
    }
    copy = exactly(sizeof message, &message);
    GOOD(remuda_session_send_message(host->pool, session, copy, NULL, &err));
    free(copy);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);

    /* Longer: _init makes the default of what the library does not know, and only that is taken. */
    memset(&wide, 0xee, sizeof wide);
    remuda_pool_config_init(&wide.known, sizeof wide);
    CHECK(wide.unknown[0] == 0 && wide.unknown[sizeof wide.unknown - 1] == 0);
    CHECK(wide.known.struct_size == sizeof wide);
    GOOD(remuda_pool_new(&wide.known, &pool, &err));
    remuda_pool_free(pool);
    wide.unknown[7] = 1;
    BAD(INVALID, "config: byte", remuda_pool_new(&wide.known, &pool, &err));
    memset(&stats, 0xee, sizeof stats);
    stats.known.struct_size = sizeof stats;
    GOOD(remuda_pool_get_stats(host->pool, &stats.known, &err));
    CHECK(stats.known.sessions == 1 && (unsigned char)stats.unknown[0] == 0xee);
    CHECK(stats.known.struct_size == sizeof stats);
    stats.known.struct_size = offsetof(remuda_pool_stats, lost);
    stats.known.warm = 77;
    BAD(INVALID, "stats: struct_size", remuda_pool_get_stats(host->pool, &stats.known, &err));
    CHECK(stats.known.warm == 77);
    host_end(host);
}

static void text_that_is_not_utf8_is_named_with_its_place(void)
{
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_session_config config;
    remuda_pool_config pool_config;
    remuda_pool *pool = NULL;
    char *json = NULL;
    remuda_session_config_init(&config, sizeof config);
    config.provider = "cla\xffude";
    BAD(INVALID, "provider: it is not UTF-8 at byte 3",
        remuda_session_open(host->pool, &config, NULL, &err));
    config.provider = "claude";
    config.cwd = "\xc3";
    BAD(INVALID, "cwd: it is not UTF-8", remuda_session_open(host->pool, &config, NULL, &err));
    config.cwd = ".";
    config.options_json = "{\"model\": \"\xfe\"}";
    BAD(INVALID, "options_json: it is not UTF-8",
        remuda_session_open(host->pool, &config, NULL, &err));
    BAD(INVALID, "text: it is not UTF-8 at byte 1",
        remuda_session_send(host->pool, session, "a\x80", 2, 0, NULL, &err));
    BAD(INVALID, "answer_json",
        remuda_session_answer(host->pool, session, 1, "\x80", 0, &err));
    BAD(INVALID, "change_json", remuda_session_change(host->pool, session, "\x80", 0, &err));
    BAD(INVALID, "operation_json", remuda_session_operate(host->pool, session, "\x80", 0, &err));
    BAD(INVALID, "provider", remuda_capabilities("\x80", &json, NULL, &err));
    BAD(INVALID, "text: its length",
        remuda_session_send(host->pool, session, "a", SIZE_MAX, 0, NULL, &err));
    BAD(INVALID, "NUL", remuda_session_send(host->pool, session, "a\0b", 3, 0, NULL, &err));
    remuda_pool_config_init(&pool_config, sizeof pool_config);
    pool_config.options_json = "\x80";
    BAD(INVALID, "options_json", remuda_pool_new(&pool_config, &pool, &err));
    CHECK(pool == NULL);
    host_end(host);
}

static void wrong_json_is_named_with_its_member_and_position(void)
{
    static const char *const wrong[][2] = {
        {"", "options_json: this is not a JSON object at line 1 column 1"},
        {"[]", "options_json: this is not a JSON object at line 1 column 1"},
        {"\n  null", "options_json: this is not a JSON object at line 2 column 3"},
        {"{\"max_warm\": 1e99}", "options_json: max_warm: "},
        {"{", "line 1 column 1"},
        {"{\"max_wram\": 1}", "max_wram"},
        {"{\"max_warm\": \"a\"}", "options_json: max_warm: invalid type"},
        {"{\"max_warm\":\n \"a\"}", "line 2 column 4"},
        {"{\"timeouts\": {\"start_ms\": []}}", "timeouts.start_ms"},
        {"{\"max_warm\": 0}", "max_warm: 0 is below 1"},
        {"{\"max_warm\": 1} x", "trailing"},
    };
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_pool_config config;
    remuda_pool *pool = NULL;
    size_t i;
    remuda_sent sent;
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct host ended;
        memset(&ended, 0, sizeof ended);
        CHECK(pthread_mutex_init(&ended.lock, NULL) == 0);
        CHECK(pthread_cond_init(&ended.more, NULL) == 0);
        remuda_pool_config_init(&config, sizeof config);
        config.on_event = host_on_event;
        config.user_data = &ended;
        config.destroy = host_destroy;
        config.options_json = wrong[i][0];
        BAD(INVALID, wrong[i][1], remuda_pool_new(&config, &pool, &err));
        CHECK(pool == NULL);
        /* Also when it fails. */
        CHECK(ended.destroyed == 1 && ended.count == 0);
        pthread_mutex_destroy(&ended.lock);
        pthread_cond_destroy(&ended.more);
    }
    BAD(INVALID, "rules[0].action",
        try_open(host->pool, "\"rules\": [{\"name\": \"a\", \"action\": \"x\"}]", NULL, NULL,
                 &err));
    BAD(INVALID, "answer_json", remuda_session_answer(host->pool, session, 1, "{}", 0, &err));
    BAD(INVALID, "perhaps",
        remuda_session_answer(host->pool, session, 1, "{\"answer\": \"perhaps\"}", 0, &err));
    BAD(INVALID, "change_json: modle",
        remuda_session_change(host->pool, session, "{\"modle\": \"x\"}", 0, &err));
    BAD(INVALID, "operation_json",
        remuda_session_operate(host->pool, session, "{\"operation\": \"dance\"}", 0, &err));
    BAD(INVALID, "options_json: budget",
        send_message(host->pool, session, "x", 0, 0, "{\"budget\": 1}", &sent, &err));
    BAD(INVALID, "on_busy", send_message(host->pool, session, "x", 0, 9, NULL, &sent, &err));
    host_end(host);
}

static void ids_that_are_stale_or_never_were_are_answered(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    remuda_session gone = open_session(host, NULL, NULL);
    remuda_turn turn = send_text(host, session, "hello", 0);
    remuda_pool *pool = host->pool;
    remuda_session ids[3];
    const remuda_event *events[4];
    size_t count = 0;
    char *json = NULL;
    remuda_sent sent;
    remuda_message message;
    int i;
    remuda_message_init(&message, sizeof message);
    message.text = "x";
    message.text_len = 1;
    GOOD(remuda_session_close(pool, gone, &err));
    wait_for(host, gone, REMUDA_EVENT_SESSION_CLOSED, 1);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    ids[0] = 0;
    ids[1] = gone;
    ids[2] = UINT64_MAX;
    for (i = 0; i < 3; i++) {
        remuda_session id = ids[i];
        const remuda_status closed = REMUDA_STATUS_CLOSED;
        BAD(closed, "session", remuda_session_send(pool, id, "x", 1, 0, NULL, &err));
        BAD(closed, "session", send_message(pool, id, "x", 0, 0, NULL, &sent, &err));
        BAD(closed, "session", remuda_session_edit(pool, id, turn, &message, &err));
        BAD(closed, "session", remuda_session_cancel(pool, id, turn, &err));
        BAD(closed, "session", remuda_session_interrupt(pool, id, turn, 0, 0, &err));
        BAD(closed, "session", remuda_session_answer(pool, id, 1, "{}", 0, &err));
        BAD(closed, "session", remuda_session_change(pool, id, "{}", 0, &err));
        BAD(closed, "session", remuda_session_operate(pool, id, "{}", 0, &err));
        BAD(closed, "session", remuda_session_hold(pool, id, &err));
        BAD(closed, "session", remuda_session_unhold(pool, id, &err));
        BAD(closed, "session", remuda_session_snapshot(pool, id, &json, NULL, &err));
        BAD(closed, "session", remuda_session_options(pool, id, &json, NULL, &err));
        BAD(closed, "session", remuda_session_replay(pool, id, 1, events, 4, &count, &err));
        BAD(closed, "session", remuda_session_close(pool, id, &err));
    }
    /* Turns and questions. */
    BAD(INVALID, "turn", remuda_session_interrupt(pool, session, 0, 0, 1, &err));
    BAD(INVALID, "request",
        remuda_session_answer(pool, session, 0, "{\"answer\":\"allow\"}", 1, &err));
    BAD(REMUDA_STATUS_STALE, "queue", remuda_session_cancel(pool, session, turn, &err));
    BAD(REMUDA_STATUS_STALE, "queue", remuda_session_edit(pool, session, turn, &message, &err));
    GOOD(remuda_session_interrupt(pool, session, turn + 1000, 0, 2, &err));
    CHECK(contains(wait_done(host, session, 2).json, "too_late"));
    GOOD(remuda_session_answer(pool, session, 4711, "{\"answer\":\"allow\"}", 3, &err));
    CHECK(wait_done(host, session, 3).event.status == REMUDA_STATUS_STALE);
    host_end(host);
}

static void what_cannot_be_opened_says_why_and_causes_no_event(void)
{
    struct host *host = host_push(NULL);
    remuda_session_config config;
    remuda_session session = 4711;
    remuda_session_config_init(&config, sizeof config);
    BAD(INVALID, "provider", remuda_session_open(host->pool, &config, &session, &err));
    config.provider = "nobody";
    config.cwd = "/";
    BAD(INVALID, "nobody", remuda_session_open(host->pool, &config, &session, &err));
    config.provider = "claude";
    config.cwd = "/nowhere/at/all";
    BAD(REMUDA_STATUS_CWD_UNUSABLE, "/nowhere/at/all",
        remuda_session_open(host->pool, &config, &session, &err));
    config.cwd = "/";
    config.program = "/nowhere/claude";
    BAD(REMUDA_STATUS_PROGRAM_NOT_FOUND, "/nowhere/claude",
        remuda_session_open(host->pool, &config, &session, &err));
    CHECK(session == 4711);
    CHECK(host->count == 0);
    host_end(host);
}

const struct test input_tests[] = {
    TEST(null_for_each_pointer_is_an_error_or_nothing),
    TEST(structs_may_be_shorter_or_longer_than_the_library_knows),
    TEST(text_that_is_not_utf8_is_named_with_its_place),
    TEST(wrong_json_is_named_with_its_member_and_position),
    TEST(ids_that_are_stale_or_never_were_are_answered),
    TEST(what_cannot_be_opened_says_why_and_causes_no_event),
    {NULL, NULL},
};
