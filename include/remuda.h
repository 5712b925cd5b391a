/*
 * Remuda: coding agents for your program, warm in a bounded pool, one ordered stream of events.
 *
 * Generated from the doc comments in ffi/; the guide and the contract (T1 to T12) are in docs/abi.md.
 * Every function may be called from any thread. Inputs are copied before a call returns. What an output gave you is
 * yours to free. On failure nothing is written except `*err`, if `err` is not NULL: an error object of yours.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef REMUDA_H
#define REMUDA_H

/* Do not edit: REMUDA_UPDATE_HEADER=1 cargo test -p remuda-ffi --test header */

#include <stddef.h>
#include <stdint.h>

// Commands that the agent leaves running go on, where it leaves any. Default: they are ended.
#define REMUDA_INTERRUPT_KEEP_COMMANDS 1

// What waits in the queue is cancelled. Default: it stays, and the next of it begins.
#define REMUDA_INTERRUPT_DROP_QUEUE 2

// The session exists. Its first event.
#define REMUDA_EVENT_SESSION_OPENED 1

// The session has, or changed, its conversation at the agent.
#define REMUDA_EVENT_SESSION_BOUND 2

// The session is over. Its last event, once.
#define REMUDA_EVENT_SESSION_CLOSED 3

// A process became ready for the session.
#define REMUDA_EVENT_PROCESS_STARTED 10

// A process of the session, and its whole tree, ended.
#define REMUDA_EVENT_PROCESS_STOPPED 11

// The idle session gave its process back to the pool.
#define REMUDA_EVENT_EVICTED 12

// The process is replaced at a turn boundary.
#define REMUDA_EVENT_RECYCLED 13

// From now on one process per turn.
#define REMUDA_EVENT_DOWNGRADED 14

// All slots are busy: this turn runs in a process of its own.
#define REMUDA_EVENT_SPILLED 15

// After probation the session uses a warm process again.
#define REMUDA_EVENT_RESTORED 16

// Settings were changed while the session is open.
#define REMUDA_EVENT_SETTINGS_CHANGED 17

// A turn was accepted, or a queued one begins.
#define REMUDA_EVENT_TURN_STARTED 20

// The turn ended well. One of the three ends.
#define REMUDA_EVENT_TURN_COMPLETED 21

// The turn ended with a failure. One of the three ends.
#define REMUDA_EVENT_TURN_FAILED 22

// The turn was interrupted. One of the three ends.
#define REMUDA_EVENT_TURN_INTERRUPTED 23

// A message waits for the running turn to end.
#define REMUDA_EVENT_TURN_QUEUED 24

// A message joined the running turn.
#define REMUDA_EVENT_STEERED 25

// A piece of the answer.
#define REMUDA_EVENT_TEXT_DELTA 30

// A piece of the model's reasoning.
#define REMUDA_EVENT_REASONING_DELTA 31

// A whole message of the agent; replaces its deltas.
#define REMUDA_EVENT_MESSAGE 32

// The agent calls a tool.
#define REMUDA_EVENT_TOOL_USE 33

// A piece of a running tool's output.
#define REMUDA_EVENT_TOOL_OUTPUT_DELTA 34

// A tool ended.
#define REMUDA_EVENT_TOOL_RESULT 35

// The agent's plan, whole.
#define REMUDA_EVENT_PLAN 36

// Files changed by a tool.
#define REMUDA_EVENT_FILE_CHANGE 37

// Tokens used so far.
#define REMUDA_EVENT_USAGE 50

// A rate limit's state.
#define REMUDA_EVENT_RATE_LIMIT 51

// How full the model's context is.
#define REMUDA_EVENT_CONTEXT_USAGE 52

// The conversation is, or was, compacted.
#define REMUDA_EVENT_COMPACTION 53

// What the agent is busy with, for people.
#define REMUDA_EVENT_STATUS 54

// Something the host may want to know; nothing was lost.
#define REMUDA_EVENT_WARNING 55

// The agent asks something.
#define REMUDA_EVENT_REQUEST_OPENED 60

// The question is answered, or gone.
#define REMUDA_EVENT_REQUEST_RESOLVED 61

// Events that are no longer in the log; only in a reader's stream.
#define REMUDA_EVENT_GAP 90

// Something the agent said that this version does not know, raw.
#define REMUDA_EVENT_UNKNOWN 99

// An asynchronous call has its answer: `tag` is the call's, `status` says how it went, `text` why it failed, `json` what
// it gave, if anything. Only in C: it has no `seq`, and comes after every event that caused it.
#define REMUDA_EVENT_CALL_DONE 1000

// It is refused with `TURN_IN_PROGRESS`.
#define REMUDA_ON_BUSY_REJECT 0

// It waits, and runs as a turn of its own.
#define REMUDA_ON_BUSY_QUEUE 1

// It joins the running turn; where the agent cannot do that, or the turn is too far, it waits.
#define REMUDA_ON_BUSY_STEER 2

// It runs.
#define REMUDA_SENT_STARTED 1

// It waits in the queue.
#define REMUDA_SENT_QUEUED 2

// It joined the running turn, and has no end of its own.
#define REMUDA_SENT_STEERED 3

// It is to join the running turn, and the agent has not shown yet whether it does: a `CALL_DONE` with its tag tells.
#define REMUDA_SENT_UNDER_WAY 4

// As a timeout: without end.
#define REMUDA_FOREVER 4294967295

// The version of the ABI that this header is of: `remuda_abi_version` of the library that you run with must give the same.
#define REMUDA_ABI_VERSION 0

// It went well.
#define REMUDA_STATUS_OK 0

// An argument or option has a wrong value, type or name; the message names it.
#define REMUDA_STATUS_INVALID_ARGUMENT 100

// The session already runs a turn, or its queue is full.
#define REMUDA_STATUS_TURN_IN_PROGRESS 101

// The session or pool is closed, or never was.
#define REMUDA_STATUS_CLOSED 102

// The agent, or this system, cannot do what was asked.
#define REMUDA_STATUS_UNSUPPORTED 103

// The message is longer than the agent or `max_message` allows.
#define REMUDA_STATUS_TOO_LARGE 104

// The question was settled before; the message says by whom.
#define REMUDA_STATUS_ALREADY_ANSWERED 105

// The question is not open in this session, or the turn does not wait, or no more.
#define REMUDA_STATUS_STALE 106

// So many events wait for a reader that does not read them, or so many calls for their answers, that no more may be
// caused.
#define REMUDA_STATUS_BACKLOG 107

// The call would wait for the callback that it is made in.
#define REMUDA_STATUS_WOULD_DEADLOCK 150

// The pool pushes its events, and this call pulls them.
#define REMUDA_STATUS_WRONG_MODE 151

// Too many calls of the session wait for an answer, or too many events were not released.
#define REMUDA_STATUS_TOO_MANY 152

// The agent's program was not found; the message says where it was looked for.
#define REMUDA_STATUS_PROGRAM_NOT_FOUND 200

// The working directory does not exist or cannot be entered.
#define REMUDA_STATUS_CWD_UNUSABLE 201

// The process could not be started.
#define REMUDA_STATUS_SPAWN_FAILED 202

// No slot or process became free in time, or `when_full` is `fail`.
#define REMUDA_STATUS_POOL_FULL 203

// The demanded level of containment is not available on this machine.
#define REMUDA_STATUS_CONTAINMENT_UNAVAILABLE 204

// The system has no descriptors, processes, threads or memory left.
#define REMUDA_STATUS_SHORTAGE 205

// This process is a forked copy of the one that made a pool. It may only exec.
#define REMUDA_STATUS_FORKED 250

// The process did not become ready in time; the message names the phase.
#define REMUDA_STATUS_START_TIMEOUT 300

// The agent showed no output for the turn, or no answer, in time.
#define REMUDA_STATUS_FIRST_OUTPUT_TIMEOUT 301

// The agent fell silent in the middle of the turn.
#define REMUDA_STATUS_SILENCE_TIMEOUT 302

// The process ended, or closed its output, before the turn did.
#define REMUDA_STATUS_PROCESS_EXIT 303

// The agent does not read its input.
#define REMUDA_STATUS_WRITE_FAILED 304

// The agent broke its own protocol.
#define REMUDA_STATUS_PROTOCOL_ERROR 305

// The agent does not know the conversation that was to be resumed.
#define REMUDA_STATUS_RESUME_FAILED 306

// The model or its service refused or failed.
#define REMUDA_STATUS_MODEL_ERROR 310

// The agent is not logged in, or the account may not do this.
#define REMUDA_STATUS_ACCOUNT_ERROR 311

// A rate or usage limit was reached.
#define REMUDA_STATUS_RATE_LIMITED 312

// The conversation no longer fits the model.
#define REMUDA_STATUS_CONTEXT_FULL 313

// A limit on turns, cost or time that the host set was reached.
#define REMUDA_STATUS_BUDGET_EXCEEDED 314

// The agent refused the turn for another reason that its message gives.
#define REMUDA_STATUS_AGENT_ERROR 319

// A fault of this library.
#define REMUDA_STATUS_INTERNAL 900

// A fault of this library: it panicked. The pool answers nothing but this from now on; free it.
#define REMUDA_STATUS_PANIC 950

// Why a call failed: a code to act on and one line to read. Yours, to be freed with `remuda_error_free`.
typedef struct remuda_error remuda_error;

// A bounded herd of warm agent processes, and the sessions that use them. A handle that was freed is answered with
// `CLOSED`, never followed.
typedef struct remuda_pool remuda_pool;

// What a call answers: 0 is success. The hundreds say who must act: 1xx the caller, 2xx the host or its system, 3xx the
// agent or the service behind it, 9xx this library. Codes are appended, never renumbered: treat one that you do not know
// by its hundred.
typedef uint32_t remuda_status;

// Names a session. Never reused, 0 = none. After its last event it is answered with `CLOSED`.
typedef uint64_t remuda_session;

// Names a turn: an accepted message and everything until its one end. Never reused, 0 = none.
typedef uint64_t remuda_turn;

// Names a question of an agent. Never reused, 0 = none.
typedef uint64_t remuda_request;

// What kind of event it is. Ignore kinds that you do not know: new ones may come with any release. Numbers are never
// changed.
typedef uint32_t remuda_event_kind;

// One thing that happened in a session. Made by the library and read by you; borrowed in a callback until it returns,
// in pull mode until it is released. Fields are only appended: `struct_size` says how many there are.
typedef struct remuda_event {
    // The size of this struct in the library.
    size_t struct_size;
    // What kind it is: `REMUDA_EVENT_…`. Ignore those that you do not know.
    remuda_event_kind kind;
    // Why, of `TURN_FAILED`, `DOWNGRADED` and a `CALL_DONE` that failed; else 0.
    remuda_status status;
    // The session.
    remuda_session session;
    // Yours, from `remuda_session_open`. Free it at `SESSION_CLOSED`.
    void *session_data;
    // 1, 2, 3 … within the session, without a gap. 0 of `CALL_DONE` and `GAP`.
    uint64_t seq;
    // The turn, or 0 outside of a turn.
    remuda_turn turn;
    // Yours, from the send of this turn or, of `CALL_DONE` and `STEERED`, from that call; or 0.
    uint64_t tag;
    // The question of the agent that it is about, or 0.
    remuda_request request;
    // When it was recorded: nanoseconds since the Unix epoch. 0 of `CALL_DONE`.
    int64_t time_unix_ns;
    // UTF-8, never NULL, a NUL behind it: the piece, the message, the title, the reason.
    const char *text;
    // Its length in bytes, without the NUL. Text of an agent may hold NULs itself.
    size_t text_len;
    // The whole event as JSON, a NUL behind it; of `CALL_DONE`, what the call gave. NULL where kind and text say
    // everything: pieces and messages of the agent itself, above all.
    const char *json;
    // Its length in bytes, without the NUL.
    size_t json_len;
} remuda_event;

// Called for every event, on one thread of the library, one event at a time. The event is borrowed until it returns.
// It may call every function of this header except `remuda_pool_shutdown`. It must not unwind, `longjmp`, or end its
// thread. Signals are blocked in that thread, but for faults of its own; a program that you start in a callback inherits that
// unless you unblock them.
typedef void (*remuda_event_fn)(const struct remuda_event *event,
                                void *user_data);

// Called once with your data, after the last callback: in push mode on the thread of the callbacks, in pull mode on the
// thread that frees the pool, and when a pool cannot be made on the thread that tried.
typedef void (*remuda_destroy_fn)(void *user_data);

// What a pool is. Fill it with `remuda_pool_config_init`, then set what you need; zero means the default.
typedef struct remuda_pool_config {
    // The size of this struct as you know it.
    size_t struct_size;
    // Called for every event. NULL: you take them with `remuda_pool_next_events`.
    remuda_event_fn on_event;
    // Yours, handed to `on_event` and `destroy`.
    void *user_data;
    // Called once with `user_data` when nothing uses it any more, also when the pool cannot be made. May be NULL.
    remuda_destroy_fn destroy;
    // Slots: sessions that may hold a warm process.
    uint32_t max_warm;
    // All agent processes together.
    uint32_t max_processes;
    // After this long without work a warm process is stopped.
    uint64_t idle_timeout_ms;
    // All other options, as a JSON object: `PoolOptions` in `remuda-options.schema.json`. The fields above win. May be NULL.
    const char *options_json;
} remuda_pool_config;

// What a session is. Fill it with `remuda_session_config_init`, then set what you need; zero means the default.
typedef struct remuda_session_config {
    // The size of this struct as you know it.
    size_t struct_size;
    // Yours, in every event of the session. Free it at `SESSION_CLOSED`, or after `remuda_pool_free`.
    void *session_data;
    // The provider's name: `claude`, `codex`. Here or in the options.
    const char *provider;
    // The directory the agent works in. Must exist. Here or in the options.
    const char *cwd;
    // The agent's program, by path or by name. NULL: the provider's name for it.
    const char *program;
    // The model, in the agent's word. NULL: the agent's.
    const char *model;
    // The provider's id of an earlier conversation to go on with. NULL: a new one.
    const char *resume;
    // All other options, as a JSON object: `SessionOptions` in `remuda-options.schema.json`. The fields above win. May be NULL.
    const char *options_json;
} remuda_session_config;

// What becomes of a message while a turn runs: `REMUDA_ON_BUSY_…`.
typedef uint32_t remuda_on_busy;

// A message. Fill it with `remuda_message_init`, then set what you need.
typedef struct remuda_message {
    // The size of this struct as you know it.
    size_t struct_size;
    // The text: UTF-8.
    const char *text;
    // Its length in bytes.
    size_t text_len;
    // Yours, in the events of its turn. 0: none.
    uint64_t tag;
    // What becomes of it while a turn runs. Default: it is refused.
    remuda_on_busy on_busy;
    // Must be 0.
    uint32_t reserved;
    // Attachments, an output schema, a budget, as a JSON object: `MessageOptions` in `remuda-options.schema.json`. May be NULL.
    const char *options_json;
} remuda_message;

// What became of a message: `REMUDA_SENT_…`.
typedef uint32_t remuda_sent_state;

// What became of a message. Set `struct_size` with `remuda_sent_init` before the call.
typedef struct remuda_sent {
    // The size of this struct as you know it.
    size_t struct_size;
    // Its turn; of `STEERED` the turn that it joined; of `UNDER_WAY` 0.
    remuda_turn turn;
    // Of `QUEUED`: how many wait before it.
    uint64_t position;
    // What became of it.
    remuda_sent_state state;
    // 0.
    uint32_t reserved;
} remuda_sent;

// A pool's numbers. Each is right, but not all are of the same instant. Set `struct_size` with `remuda_pool_stats_init`.
typedef struct remuda_pool_stats {
    // The size of this struct as you know it.
    size_t struct_size;
    // Open sessions.
    uint64_t sessions;
    // Sessions that hold a slot.
    uint64_t warm;
    // The most there may be.
    uint64_t max_warm;
    // Those of them that have nothing to do.
    uint64_t idle;
    // Processes whose tree is not gone, one-shot ones included.
    uint64_t processes;
    // The most there may be.
    uint64_t max_processes;
    // Processes that are not ready yet.
    uint64_t starting;
    // Turns that wait for a process.
    uint64_t waiting;
    // Processes started so far.
    uint64_t processes_started;
    // Evictions so far.
    uint64_t evicted;
    // Spilled turns so far.
    uint64_t spilled;
    // Downgrades so far.
    uint64_t downgraded;
    // Recycled processes so far.
    uint64_t recycled;
    // Turns so far, the agents' own included.
    uint64_t turns_started;
    // Turns that ended well.
    uint64_t turns_completed;
    // Turns that failed.
    uint64_t turns_failed;
    // Turns that were interrupted.
    uint64_t turns_interrupted;
    // 1: the pool lost count, by a fault of this library: `warm`, `idle`, `processes`, `starting` and `waiting` are as they
    // were before, and no process is started any more. Close the sessions and make another pool. Else 0.
    uint64_t lost;
    // Sessions of which a reader is so far behind that their agents are not listened to. They keep their slots.
    uint64_t held_back;
} remuda_pool_stats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Ends the turn that runs, the host's or the agent's own, or that waits. It ends as interrupted, at the latest after the
// grace time, unless it ended by itself before. `flags` are `REMUDA_INTERRUPT_…`, or 0.
//
// Answered by a `CALL_DONE` with `tag`: `{"receipt": "delivered"}`, or `"too_late"` when the turn was over.
//
// # Safety
//
// `err` is NULL or valid for one pointer.
remuda_status remuda_session_interrupt(struct remuda_pool *pool,
                                       remuda_session session,
                                       remuda_turn turn,
                                       uint32_t flags,
                                       uint64_t tag,
                                       struct remuda_error **err);

// Answers a question of the agent, once. `answer_json` is `Answer` in `remuda-options.schema.json`: `{"answer": "allow"}`,
// `{"answer": "deny", "message": "…"}`, `{"answer": "answers", "answers": {…}}`, `{"answer": "content", "content": {…}}`,
// and of a host tool `{"answer": "result", "text": "…"}`.
//
// Answered by a `CALL_DONE` with `tag`; `ALREADY_ANSWERED` says by whom, `STALE` that the question is not open,
// `INVALID_ARGUMENT` that it does not take this answer: it stays open then.
//
// # Safety
//
// `answer_json` is NUL-terminated; `err` is NULL or valid for one pointer.
remuda_status remuda_session_answer(struct remuda_pool *pool,
                                    remuda_session session,
                                    remuda_request request,
                                    const char *answer_json,
                                    uint64_t tag,
                                    struct remuda_error **err);

// Changes settings: in the running process where the agent can, else by replacing it between two turns. `change_json` is
// `Change` in `remuda-options.schema.json`: `{"model": "…"}`.
//
// Answered by a `CALL_DONE` with `tag`: `{"how": "live"}`, `"recycled"`, `"after_turn"`, `"next_process"`.
//
// # Safety
//
// `change_json` is NUL-terminated; `err` is NULL or valid for one pointer.
remuda_status remuda_session_change(struct remuda_pool *pool,
                                    remuda_session session,
                                    const char *change_json,
                                    uint64_t tag,
                                    struct remuda_error **err);

// Does something with the conversation beside talking. Starts a process if none runs. `operation_json` is `Operation` in
// `remuda-options.schema.json`: `{"operation": "compact"}`, `{"operation": "list_models"}`, `{"operation": "fork"}`, …
//
// Answered by a `CALL_DONE` with `tag` and what the operation gives.
//
// # Safety
//
// `operation_json` is NUL-terminated; `err` is NULL or valid for one pointer.
remuda_status remuda_session_operate(struct remuda_pool *pool,
                                     remuda_session session,
                                     const char *operation_json,
                                     uint64_t tag,
                                     struct remuda_error **err);

// Fills a config with defaults.
//
// # Safety
//
// `config` is NULL or valid for writing `struct_size` bytes.
void remuda_pool_config_init(struct remuda_pool_config *config,
                             size_t struct_size);

// Fills a config with defaults.
//
// # Safety
//
// `config` is NULL or valid for writing `struct_size` bytes.
void remuda_session_config_init(struct remuda_session_config *config,
                                size_t struct_size);

// The code of an error: the same that the call returned. 0 for NULL.
//
// # Safety
//
// `error` is NULL, or came from this library and was not freed.
remuda_status remuda_error_status(const struct remuda_error *error);

// One line to read. It lives as long as the error. Empty for NULL.
//
// # Safety
//
// `error` is NULL, or came from this library and was not freed.
const char *remuda_error_message(const struct remuda_error *error);

// Frees an error. NULL is accepted.
//
// # Safety
//
// `error` is NULL, or came from this library and was not freed.
void remuda_error_free(struct remuda_error *error);

// Gives events back, and sets the pointers to NULL. NULLs among them are passed over; the batch may be given back in
// parts, in any order, from any thread, also after the pool was freed.
//
// # Safety
//
// `events` is NULL, or points to `count` pointers, each NULL or from `remuda_pool_next_events` or
// `remuda_session_replay` and not released.
void remuda_events_release(const struct remuda_event **events,
                           size_t count);

// The name of a kind, as it stands in JSON: `"text_delta"`. `"unknown"` for a number that is none. It lives as long as
// the program.
const char *remuda_event_kind_name(uint32_t kind);

// Fills a message with defaults.
//
// # Safety
//
// `message` is NULL or valid for writing `struct_size` bytes.
void remuda_message_init(struct remuda_message *message,
                         size_t struct_size);

// Prepares the output of `remuda_session_send_message`.
//
// # Safety
//
// `sent` is NULL or valid for writing `struct_size` bytes.
void remuda_sent_init(struct remuda_sent *sent,
                      size_t struct_size);

// Makes a pool. `config` may be NULL: all defaults, and events are pulled. No process is started.
//
// When this fails, `destroy` has run, on this thread, unless it could not be read: `struct_size` ends before it, or is more
// than 4096.
//
// # Safety
//
// `config` is NULL or valid, as its `struct_size` says, with strings that are NULL or NUL-terminated; `pool` is valid
// for one pointer; `err` is NULL or valid for one pointer.
remuda_status remuda_pool_new(const struct remuda_pool_config *config,
                              struct remuda_pool **pool,
                              struct remuda_error **err);

// Frees a pool: its sessions are closed, and what it started is ended without waiting for it; call
// `remuda_pool_shutdown` first to end it in order and see that it is gone. Must be the last call with this pool. When it
// returns, no callback runs or will run, and `destroy` has run: in push mode on the thread of the callbacks, as the last
// thing that it runs, else on this one. In a callback of this or of another pool, or in their `destroy`, it does not wait for
// that thread. NULL is accepted.
//
// # Safety
//
// `pool` is NULL, or came from `remuda_pool_new`.
void remuda_pool_free(struct remuda_pool *pool);

// Closes every session and ends every process, gently as long as there is time, then not. Nothing can be opened any
// more. Returns when nothing is left and, in push mode, every event was delivered; or at the deadline. In pull mode the
// last events wait for you. May be called again, also from elsewhere at the same time.
//
// `report` may be NULL; else it is yours, to be freed with `remuda_string_free`, and `report_len` its length or NULL:
// `{"closed": [sessions], "unfinished": [sessions], "left": [pids], "undelivered": [sessions]}`.
//
// `WOULD_DEADLOCK` in a callback of this pool.
//
// # Safety
//
// `report` and `report_len` are NULL or valid for one write; `err` is NULL or valid for one pointer.
remuda_status remuda_pool_shutdown(struct remuda_pool *pool,
                                   uint32_t deadline_ms,
                                   char **report,
                                   size_t *report_len,
                                   struct remuda_error **err);

// Prepares the output of `remuda_pool_get_stats`.
//
// # Safety
//
// `stats` is NULL or valid for writing `struct_size` bytes.
void remuda_pool_stats_init(struct remuda_pool_stats *stats,
                            size_t struct_size);

// Gives the pool's numbers at this moment.
//
// # Safety
//
// `stats` is valid for writing as many bytes as its `struct_size` says; `err` is NULL or valid for one pointer.
remuda_status remuda_pool_get_stats(struct remuda_pool *pool,
                                    struct remuda_pool_stats *stats,
                                    struct remuda_error **err);

// Gives the options that are in force, as JSON of yours, to be freed with `remuda_string_free`.
//
// # Safety
//
// `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is NULL or valid for one pointer.
remuda_status remuda_pool_options(struct remuda_pool *pool,
                                  char **json,
                                  size_t *len,
                                  struct remuda_error **err);

// Pull mode: takes the events that wait, or waits for some. At most `capacity` pointers are written to `events`, and
// their number to `count`; give them back with `remuda_events_release`. The answer is `OK` with a count of 0 when none
// came within `timeout_ms` (0 does not wait, `REMUDA_FOREVER` does so without end), and `CLOSED` when none can come any
// more: the pool was freed, or was shut down and every session's last event was given out.
//
// Call it from one thread at a time to see events in their order; several threads share the events among them.
// `WRONG_MODE` in a pool with `on_event`. `TOO_MANY` while 16384 events are out; the descriptor of `remuda_pool_wake_fd` is
// not readable then until you release some.
//
// # Safety
//
// `events` is valid for writing `capacity` pointers, `count` for one number; `err` is NULL or valid for one pointer.
remuda_status remuda_pool_next_events(struct remuda_pool *pool,
                                      const struct remuda_event **events,
                                      size_t capacity,
                                      uint32_t timeout_ms,
                                      size_t *count,
                                      struct remuda_error **err);

// Pull mode: gives a file descriptor that is readable while events wait, for your own loop (`poll`, `epoll`, `libuv`, `GLib`).
// It belongs to the library and lives as long as the pool: only poll it, never read or close it. When it is
// readable, call `remuda_pool_next_events` with a timeout of 0 until it gives none. `UNSUPPORTED` on Windows.
//
// # Safety
//
// `fd` is valid for one number; `err` is NULL or valid for one pointer.
remuda_status remuda_pool_wake_fd(struct remuda_pool *pool,
                                  int32_t *fd,
                                  struct remuda_error **err);

// Gives events of a session again, from `from_seq` on (1 is the first; 0 means the same), as far as its log still has them: a
// `GAP` event says which are gone. Does not wait, and holds nothing back. At most `capacity` pointers are written to `events`, and
// their number to `count`; give them back with `remuda_events_release`. The tag stands only in the first event of a turn.
// In both modes; beside the events that come anyway.
//
// # Safety
//
// `events` is valid for writing `capacity` pointers, `count` for one number; `err` is NULL or valid for one pointer.
remuda_status remuda_session_replay(struct remuda_pool *pool,
                                    remuda_session session,
                                    uint64_t from_seq,
                                    const struct remuda_event **events,
                                    size_t capacity,
                                    size_t *count,
                                    struct remuda_error **err);

// The version of the library's ABI: the number in its SONAME. Until 1.0 it is 0, and the header and the library must be
// of the same release.
uint32_t remuda_abi_version(void);

// The version of the package: `"0.1.0"`. It lives as long as the program.
const char *remuda_version(void);

// Gives what a provider's agent can do, in a warm and in a one-shot process, as JSON of yours, to be freed with
// `remuda_string_free`: `{"steer": {"warm": true, "one_shot": false}, …}`. With a NULL provider: of all, by name.
// `FORKED` in a forked copy of a process that made a pool.
//
// # Safety
//
// `provider` is NULL or NUL-terminated; `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is
// NULL or valid for one pointer.
remuda_status remuda_capabilities(const char *provider,
                                  char **json,
                                  size_t *len,
                                  struct remuda_error **err);

// Gives what is on this machine, as JSON of yours, to be freed with `remuda_string_free`: what ends processes here, and for each
// agent where it is installed, its version, whether it stays warm, whether somebody is logged in, and what is wrong with it:
// `{"containment": "guard", "agents": [{"provider": "claude", "program": "/usr/bin/claude", "version": "2.1.327", "mode":
// "warm", "login": "logged_in", "problem": null, …}, …]}`. Its schema is `docs/schema/doctor.json`.
//
// Each program is run once with `--version`, all at the same time, and ended with all that it started after `timeout_ms`;
// with 0 none is run, and there are no versions. A program that is missing, broken or hangs is told in `problem`, and fails
// nothing. Blocks for about as long as the slowest program takes: an event loop calls it on another thread. Needs no pool.
// `FORKED` in a forked copy of a process that made a pool.
//
// # Safety
//
// `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is NULL or valid for one pointer.
remuda_status remuda_doctor(uint32_t timeout_ms,
                            char **json,
                            size_t *len,
                            struct remuda_error **err);

// Opens a session. Starts no process: the first turn does. `session` may be NULL: `session_data` comes back in every event.
// Events of the session may be delivered before this returns.
//
// # Safety
//
// `config` is valid, as its `struct_size` says, with strings that are NULL or NUL-terminated; `session` is NULL or valid
// for one number; `err` is NULL or valid for one pointer.
remuda_status remuda_session_open(struct remuda_pool *pool,
                                  const struct remuda_session_config *config,
                                  remuda_session *session,
                                  struct remuda_error **err);

// Sends text. Accepted or refused at once: an accepted turn gets exactly one end. `tag` is yours and comes back in every
// event of the turn; 0 is none. `turn` may be NULL.
//
// `TURN_IN_PROGRESS` while a turn runs: see `remuda_session_send_message` for more.
//
// # Safety
//
// `text` is valid for reading `text_len` bytes; `turn` is NULL or valid for one number; `err` is NULL or valid for one
// pointer.
remuda_status remuda_session_send(struct remuda_pool *pool,
                                  remuda_session session,
                                  const char *text,
                                  size_t text_len,
                                  uint64_t tag,
                                  remuda_turn *turn,
                                  struct remuda_error **err);

// Sends a message: text with attachments, with a budget, into the queue, into the running turn.
//
// With `REMUDA_ON_BUSY_REJECT` and `REMUDA_ON_BUSY_QUEUE` it is accepted or refused at once, and `sent` (may be NULL) says
// what became of it. With `REMUDA_ON_BUSY_STEER` the agent decides: `sent` says `REMUDA_SENT_UNDER_WAY`, and one `CALL_DONE` with
// the message's tag tells: `{"sent": "steered", "into": turn}`, `{"sent": "queued", "turn": …, "position": …, "why": …}`,
// `{"sent": "started", "turn": …}`, or the status of a refusal; of a turn of its own after that turn's first event. What can be
// told at once, as of an empty message or a file that cannot be read, is refused at once, and no event comes. Files that are
// attached are read within the call.
//
// # Safety
//
// `message` is valid, as its `struct_size` says; `sent` is NULL or valid for writing as many bytes as its `struct_size`
// says; `err` is NULL or valid for one pointer.
remuda_status remuda_session_send_message(struct remuda_pool *pool,
                                          remuda_session session,
                                          const struct remuda_message *message,
                                          struct remuda_sent *sent,
                                          struct remuda_error **err);

// Puts another message in the place of a waiting one. Its tag and `on_busy` are not looked at.
//
// `STALE` when it began, or never waited.
//
// # Safety
//
// `message` is valid, as its `struct_size` says; `err` is NULL or valid for one pointer.
remuda_status remuda_session_edit(struct remuda_pool *pool,
                                  remuda_session session,
                                  remuda_turn turn,
                                  const struct remuda_message *message,
                                  struct remuda_error **err);

// Takes a waiting message out of the queue. Its turn ends as interrupted.
//
// `STALE` when it began, or never waited.
//
// # Safety
//
// `err` is NULL or valid for one pointer.
remuda_status remuda_session_cancel(struct remuda_pool *pool,
                                    remuda_session session,
                                    remuda_turn turn,
                                    struct remuda_error **err);

// Keeps the session's process from eviction. Holds are counted: as many `remuda_session_unhold` let it go.
//
// # Safety
//
// `err` is NULL or valid for one pointer.
remuda_status remuda_session_hold(struct remuda_pool *pool,
                                  remuda_session session,
                                  struct remuda_error **err);

// Takes one hold back. `INVALID_ARGUMENT` when there is none.
//
// # Safety
//
// `err` is NULL or valid for one pointer.
remuda_status remuda_session_unhold(struct remuda_pool *pool,
                                    remuda_session session,
                                    struct remuda_error **err);

// Gives what the session is at this moment, as JSON of yours, to be freed with `remuda_string_free`: provider, conversation,
// running turn, queue, open questions, the next `seq`.
//
// # Safety
//
// `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is NULL or valid for one pointer.
remuda_status remuda_session_snapshot(struct remuda_pool *pool,
                                      remuda_session session,
                                      char **json,
                                      size_t *len,
                                      struct remuda_error **err);

// Gives the options that the session was opened with, as JSON of yours, to be freed with `remuda_string_free`.
//
// # Safety
//
// `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is NULL or valid for one pointer.
remuda_status remuda_session_options(struct remuda_pool *pool,
                                     remuda_session session,
                                     char **json,
                                     size_t *len,
                                     struct remuda_error **err);

// Closes the session: a running turn ends as failed with `CLOSED`, the process is stopped, and when its whole tree is gone
// comes the last event, `SESSION_CLOSED`, which names what could not be ended. Returns at once; a second call does nothing, and is answered with
// `CLOSED` once the last event was delivered.
//
// # Safety
//
// `err` is NULL or valid for one pointer.
remuda_status remuda_session_close(struct remuda_pool *pool,
                                   remuda_session session,
                                   struct remuda_error **err);

// The name of a code, as it stands in JSON: `"closed"`. `"unknown"` for a number that is none. It lives as long as
// the program.
const char *remuda_status_name(uint32_t status);

// Frees a string that an output gave you. NULL is accepted.
//
// # Safety
//
// `string` is NULL, or came from this library and was not freed.
void remuda_string_free(char *string);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* REMUDA_H */
