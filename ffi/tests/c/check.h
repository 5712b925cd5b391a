/* What the C tests share: checks, a host that records what it is shown, sessions with the scripted agent. */
#ifndef CHECK_H
#define CHECK_H

#include <remuda.h>

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Ends the program with the place and the reason. */
void fail(const char *file, int line, const char *what);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail(__FILE__, __LINE__, #condition);                                                  \
        }                                                                                          \
    } while (0)

/* A call that must go well; its error is shown otherwise. */
#define GOOD(call)                                                                                 \
    do {                                                                                           \
        remuda_error *err = NULL;                                                                  \
        if ((call) != REMUDA_STATUS_OK) {                                                          \
            fail(__FILE__, __LINE__, remuda_error_message(err));                                   \
        }                                                                                          \
        CHECK(err == NULL);                                                                        \
    } while (0)

/* A call that must fail with this status, and whose message must have these words. */
#define BAD(wanted, words, call)                                                                   \
    do {                                                                                           \
        remuda_error *err = NULL;                                                                  \
        remuda_status status = (call);                                                             \
        bad(__FILE__, __LINE__, status, err, wanted, words);                                       \
        remuda_error_free(err);                                                                    \
    } while (0)

void bad(const char *file, int line, remuda_status status, const remuda_error *err,
         remuda_status wanted, const char *words);

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}

/* The path of this program. */
extern const char *own_program;

/* Never returns. */
void be_killed(int out);
int fork_after_failure(void);

extern const struct test contract_tests[];
extern const struct test control_tests[];
extern const struct test input_tests[];
extern const struct test ending_tests[];
extern const struct test load_tests[];
extern const struct test edges_tests[];

/* An event, copied. */
struct seen {
    remuda_event event;
    char *text;
    char *json;
};

/* A host that writes down what it is shown. */
struct host {
    remuda_pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct seen *seen;
    size_t count;
    size_t room;
    int destroyed;
    int pulls;
    /* Called for each event in push mode, after it was written down, without the lock. May be NULL. */
    void (*also)(struct host *host, const remuda_event *event);
    void *own;
    pthread_t thread;
    int threads;
};

/* Makes a host and its pool. `options` may be NULL. */
struct host *host_push(const char *options);
struct host *host_pull(const char *options);
struct host *host_push_also(const char *options,
                            void (*also)(struct host *, const remuda_event *), void *own);
/* The callbacks themselves. */
void host_on_event(const remuda_event *event, void *user_data);
void host_destroy(void *user_data);
/* Shuts down, frees, checks that each session's events are lawful, and that no thread is left. */
void host_end(struct host *host);
/* Frees what the host wrote down, and the host. */
void host_drop(struct host *host);
void host_record(struct host *host, const remuda_event *event);
/* Pulls once; 0 when the pool has ended. */
int host_take(struct host *host, uint32_t timeout_ms);

/* Waits for the n-th event of this kind in this session (0: in any), and copies it out. Texts live as long as the
 * host. */
struct seen wait_for(struct host *host, remuda_session session, remuda_event_kind kind, size_t n);
/* Waits for the answer of the call with this tag. */
struct seen wait_done(struct host *host, remuda_session session, uint64_t tag);
/* How many there are now. */
size_t count_of(struct host *host, remuda_session session, remuda_event_kind kind);
/* Every session's events: seq without a gap, one end per turn, session_closed last if it came. */
void check_lawful(struct host *host);

/* Opens a session with the scripted agent. `options` is the rest of a JSON object, without its braces, or NULL. */
remuda_session open_session(struct host *host, const char *options, void *data);
remuda_status try_open(remuda_pool *pool, const char *options, void *data, remuda_session *session,
                       remuda_error **err);
remuda_turn send_text(struct host *host, remuda_session session, const char *text, uint64_t tag);
remuda_status send_message(remuda_pool *pool, remuda_session session, const char *text, uint64_t tag,
                           remuda_on_busy on_busy, const char *options, remuda_sent *sent,
                           remuda_error **err);

/* The number of threads of this process. */
int threads_now(void);
/* Waits until no thread but this one is left. */
void alone(void);
int contains(const char *text, const char *words);
/* A number after a name in JSON; fails if it is not there. */
uint64_t number_in(const char *json, const char *name);
void nap(void);

#endif
