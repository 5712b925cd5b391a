#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long anything may take that must come. Not a measure of speed: what hangs never comes. */
#define PATIENCE_S 90

void fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    fflush(stderr);
    abort();
}

void bad(const char *file, int line, remuda_status status, const remuda_error *err,
         remuda_status wanted, const char *words)
{
    const char *message = remuda_error_message(err);
    if (status != wanted || remuda_error_status(err) != wanted) {
        fprintf(stderr, "%s instead of %s\n", remuda_status_name(status),
                remuda_status_name(wanted));
        fail(file, line, message);
    }
    if (strchr(message, '\n') != NULL || strstr(message, words) == NULL) {
        fprintf(stderr, "wanted: %s\n", words);
        fail(file, line, message);
    }
}

static struct host *host_new(void)
{
    struct host *host = calloc(1, sizeof *host);
    CHECK(host != NULL);
    CHECK(pthread_mutex_init(&host->lock, NULL) == 0);
    CHECK(pthread_cond_init(&host->more, NULL) == 0);
    return host;
}

static char *copied(const char *text, size_t len)
{
    char *copy;
    if (text == NULL) {
        return NULL;
    }
    CHECK(text[len] == '\0');
    copy = malloc(len + 1);
    CHECK(copy != NULL);
    memcpy(copy, text, len + 1);
    return copy;
}

void host_record(struct host *host, const remuda_event *event)
{
    struct seen seen;
    CHECK(event->struct_size == sizeof *event);
    CHECK(event->text != NULL);
    seen.event = *event;
    seen.text = copied(event->text, event->text_len);
    seen.json = copied(event->json, event->json_len);
    seen.event.text = seen.text;
    seen.event.json = seen.json;
    pthread_mutex_lock(&host->lock);
    if (host->count == host->room) {
        host->room = host->room * 2 + 64;
        host->seen = realloc(host->seen, host->room * sizeof *host->seen);
        CHECK(host->seen != NULL);
    }
    host->seen[host->count++] = seen;
    pthread_cond_broadcast(&host->more);
    pthread_mutex_unlock(&host->lock);
}

void host_on_event(const remuda_event *event, void *user_data)
{
    struct host *host = user_data;
    pthread_mutex_lock(&host->lock);
    CHECK(host->destroyed == 0);
    if (host->threads == 0 || !pthread_equal(host->thread, pthread_self())) {
        host->threads++;
        host->thread = pthread_self();
    }
    pthread_mutex_unlock(&host->lock);
    host_record(host, event);
    if (host->also != NULL) {
        host->also(host, event);
    }
}

void host_destroy(void *user_data)
{
    struct host *host = user_data;
    pthread_mutex_lock(&host->lock);
    host->destroyed++;
    pthread_cond_broadcast(&host->more);
    pthread_mutex_unlock(&host->lock);
}

static struct host *begin(const char *options, int pulls,
                          void (*also)(struct host *, const remuda_event *), void *own)
{
    struct host *host = host_new();
    remuda_pool_config config;
    remuda_pool *pool = NULL;
    host->pulls = pulls;
    host->also = also;
    host->own = own;
    remuda_pool_config_init(&config, sizeof config);
    config.on_event = pulls ? NULL : host_on_event;
    config.user_data = host;
    config.destroy = host_destroy;
    config.options_json = options;
    GOOD(remuda_pool_new(&config, &pool, &err));
    pthread_mutex_lock(&host->lock);
    host->pool = pool;
    pthread_mutex_unlock(&host->lock);
    return host;
}

struct host *host_push(const char *options)
{
    return begin(options, 0, NULL, NULL);
}

struct host *host_push_also(const char *options,
                            void (*also)(struct host *, const remuda_event *), void *own)
{
    return begin(options, 0, also, own);
}

struct host *host_pull(const char *options)
{
    return begin(options, 1, NULL, NULL);
}

int host_take(struct host *host, uint32_t timeout_ms)
{
    const remuda_event *events[16];
    size_t count = 0;
    size_t i;
    remuda_error *err = NULL;
    remuda_status status =
        remuda_pool_next_events(host->pool, events, 16, timeout_ms, &count, &err);
    if (status == REMUDA_STATUS_CLOSED) {
        remuda_error_free(err);
        return 0;
    }
    if (status != REMUDA_STATUS_OK) {
        fail(__FILE__, __LINE__, remuda_error_message(err));
    }
    for (i = 0; i < count; i++) {
        host_record(host, events[i]);
    }
    remuda_events_release(events, count);
    for (i = 0; i < count; i++) {
        CHECK(events[i] == NULL);
    }
    return 1;
}

void host_drop(struct host *host)
{
    size_t i;
    for (i = 0; i < host->count; i++) {
        free(host->seen[i].text);
        free(host->seen[i].json);
    }
    free(host->seen);
    pthread_mutex_destroy(&host->lock);
    pthread_cond_destroy(&host->more);
    free(host);
}

/* The library orders what was written down before a shutdown or a free; the lock says so to helgrind too. */
static void settle(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    pthread_mutex_unlock(&host->lock);
}

void host_end(struct host *host)
{
    char *report = NULL;
    size_t len = 0;
    GOOD(remuda_pool_shutdown(host->pool, 60000, &report, &len, &err));
    CHECK(strlen(report) == len);
    CHECK(contains(report, "\"unfinished\":[]"));
    CHECK(contains(report, "\"left\":[]"));
    if (host->pulls) {
        while (host_take(host, REMUDA_FOREVER)) {
        }
    } else {
        CHECK(contains(report, "\"undelivered\":[]"));
    }
    remuda_string_free(report);
    check_lawful(host);
    remuda_pool_free(host->pool);
    settle(host);
    CHECK(host->destroyed == 1);
    CHECK(host->threads <= 1);
    host_drop(host);
    alone();
}

/* Whether the event is the wanted one. */
static int matches(const remuda_event *event, remuda_session session, remuda_event_kind kind,
                   uint64_t tag)
{
    return event->kind == kind && (session == 0 || event->session == session) &&
           (tag == 0 || event->tag == tag);
}

static struct seen await(struct host *host, remuda_session session, remuda_event_kind kind,
                         uint64_t tag, size_t n)
{
    struct timespec until;
    struct seen found;
    size_t from = 0;
    CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&host->lock);
    for (;;) {
        for (; from < host->count; from++) {
            if (matches(&host->seen[from].event, session, kind, tag) && --n == 0) {
                found = host->seen[from];
                pthread_mutex_unlock(&host->lock);
                return found;
            }
        }
        if (host->pulls) {
            pthread_mutex_unlock(&host->lock);
            CHECK(host_take(host, PATIENCE_S * 1000));
            pthread_mutex_lock(&host->lock);
        } else if (pthread_cond_timedwait(&host->more, &host->lock, &until) != 0) {
            fprintf(stderr, "no %s came\n", remuda_event_kind_name(kind));
            fail(__FILE__, __LINE__, "it hangs");
        }
    }
}

struct seen wait_for(struct host *host, remuda_session session, remuda_event_kind kind, size_t n)
{
    return await(host, session, kind, 0, n);
}

struct seen wait_done(struct host *host, remuda_session session, uint64_t tag)
{
    return await(host, session, REMUDA_EVENT_CALL_DONE, tag, 1);
}

size_t count_of(struct host *host, remuda_session session, remuda_event_kind kind)
{
    size_t count = 0;
    size_t i;
    pthread_mutex_lock(&host->lock);
    for (i = 0; i < host->count; i++) {
        count += (size_t)matches(&host->seen[i].event, session, kind, 0);
    }
    pthread_mutex_unlock(&host->lock);
    return count;
}

static int is_end(remuda_event_kind kind)
{
    return kind == REMUDA_EVENT_TURN_COMPLETED || kind == REMUDA_EVENT_TURN_FAILED ||
           kind == REMUDA_EVENT_TURN_INTERRUPTED;
}

void check_lawful(struct host *host)
{
    size_t i;
    size_t j;
    settle(host);
    for (i = 0; i < host->count; i++) {
        const remuda_event *event = &host->seen[i].event;
        uint64_t before = 0;
        size_t ends = 0;
        CHECK(event->session != 0);
        for (j = 0; j < host->count; j++) {
            const remuda_event *other = &host->seen[j].event;
            if (other->session != event->session) {
                continue;
            }
            CHECK(other->session_data == event->session_data);
            if (j < i && other->seq != 0) {
                before = other->seq;
            }
            if (j > i) {
                CHECK(event->kind != REMUDA_EVENT_SESSION_CLOSED);
            }
            ends += (size_t)(event->turn != 0 && other->turn == event->turn && is_end(other->kind));
        }
        if (event->kind == REMUDA_EVENT_CALL_DONE) {
            CHECK(event->seq == 0);
        } else {
            CHECK(event->seq == before + 1);
            CHECK(event->time_unix_ns > 0);
        }
        if (event->kind == REMUDA_EVENT_TURN_STARTED) {
            CHECK(ends == 1);
        }
    }
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set\n", name);
        abort();
    }
    return value;
}

remuda_status try_open(remuda_pool *pool, const char *options, void *data, remuda_session *session,
                       remuda_error **err)
{
    remuda_session_config config;
    char json[4096];
    int len = snprintf(json, sizeof json,
                       "{%s%s\"environment\": {\"set\": {\"SCRIPTED_AGENT_PROTOCOL\": \"claude\", "
                       "\"SCRIPTED_AGENT_STATE\": \"%s\"}}}",
                       options == NULL ? "" : options, options == NULL ? "" : ", ",
                       variable("REMUDA_TEST_FOLDER"));
    CHECK(len > 0 && (size_t)len < sizeof json);
    remuda_session_config_init(&config, sizeof config);
    config.provider = "claude";
    config.cwd = variable("REMUDA_TEST_FOLDER");
    config.program = variable("REMUDA_TEST_AGENT");
    config.session_data = data;
    config.options_json = json;
    return remuda_session_open(pool, &config, session, err);
}

remuda_session open_session(struct host *host, const char *options, void *data)
{
    remuda_session session = 0;
    GOOD(try_open(host->pool, options, data, &session, &err));
    CHECK(session != 0);
    return session;
}

remuda_turn send_text(struct host *host, remuda_session session, const char *text, uint64_t tag)
{
    remuda_turn turn = 0;
    GOOD(remuda_session_send(host->pool, session, text, strlen(text), tag, &turn, &err));
    CHECK(turn != 0);
    return turn;
}

remuda_status send_message(remuda_pool *pool, remuda_session session, const char *text, uint64_t tag,
                           remuda_on_busy on_busy, const char *options, remuda_sent *sent,
                           remuda_error **err)
{
    remuda_message message;
    remuda_message_init(&message, sizeof message);
    message.text = text;
    message.text_len = strlen(text);
    message.tag = tag;
    message.on_busy = on_busy;
    message.options_json = options;
    if (sent != NULL) {
        remuda_sent_init(sent, sizeof *sent);
    }
    return remuda_session_send_message(pool, session, &message, sent, err);
}

int threads_now(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;
    CHECK(tasks != NULL);
    while ((entry = readdir(tasks)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(tasks);
    return count;
}

void nap(void)
{
    struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

void alone(void)
{
    int naps;
    for (naps = 0; naps < PATIENCE_S * 1000 && threads_now() > 1; naps++) {
        nap();
    }
    CHECK(threads_now() == 1);
}

int contains(const char *text, const char *words)
{
    return text != NULL && strstr(text, words) != NULL;
}

uint64_t number_in(const char *json, const char *name)
{
    char member[64];
    const char *at;
    snprintf(member, sizeof member, "\"%s\":", name);
    at = json == NULL ? NULL : strstr(json, member);
    if (at == NULL) {
        fprintf(stderr, "%s in %s\n", name, json == NULL ? "nothing" : json);
        abort();
    }
    return strtoull(at + strlen(member), NULL, 10);
}
