/* Ends: shutdown, free, fork, hosts that are killed, signals. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void after_shutdown_nothing_is_opened_and_after_free_nothing_is_answered(void)
{
    struct host *host = host_push(NULL);
    remuda_pool *pool = host->pool;
    remuda_session session = open_session(host, NULL, NULL);
    const remuda_event *events[1];
    remuda_pool_stats stats;
    size_t count = 0;
    char *json = NULL;
    int32_t fd = 0;
    send_text(host, session, "hello", 0);
    GOOD(remuda_pool_shutdown(pool, 60000, NULL, NULL, &err));
    CHECK(count_of(host, session, REMUDA_EVENT_SESSION_CLOSED) == 1);
    GOOD(remuda_pool_shutdown(pool, 60000, NULL, NULL, &err));
    BAD(REMUDA_STATUS_CLOSED, "pool", try_open(pool, NULL, NULL, NULL, &err));
    BAD(REMUDA_STATUS_CLOSED, "session",
        remuda_session_send(pool, session, "x", 1, 0, NULL, &err));
    remuda_pool_stats_init(&stats, sizeof stats);
    GOOD(remuda_pool_get_stats(pool, &stats, &err));
    CHECK(stats.sessions == 0 && stats.processes == 0);
    remuda_pool_free(pool);
    CHECK(host->destroyed == 1);
    /* A handle that was freed is a number that names nothing. */
    BAD(REMUDA_STATUS_CLOSED, "pool", remuda_pool_shutdown(pool, 0, NULL, NULL, &err));
    BAD(REMUDA_STATUS_CLOSED, "pool", remuda_pool_get_stats(pool, &stats, &err));
    BAD(REMUDA_STATUS_CLOSED, "pool", remuda_pool_options(pool, &json, NULL, &err));
    BAD(REMUDA_STATUS_CLOSED, "pool", remuda_pool_next_events(pool, events, 1, 0, &count, &err));
    BAD(REMUDA_STATUS_CLOSED, "pool", remuda_pool_wake_fd(pool, &fd, &err));
    BAD(REMUDA_STATUS_CLOSED, "pool", try_open(pool, NULL, NULL, NULL, &err));
    BAD(REMUDA_STATUS_CLOSED, "pool", remuda_session_close(pool, session, &err));
    remuda_pool_free(pool);
    CHECK(host->destroyed == 1);
    check_lawful(host);
    host_drop(host);
    alone();
}

static void events_outlive_their_pool_until_they_are_released(void)
{
    struct host *host = host_pull(NULL);
    const remuda_event *events[4];
    size_t count = 0;
    open_session(host, NULL, NULL);
    GOOD(remuda_pool_next_events(host->pool, events, 4, REMUDA_FOREVER, &count, &err));
    CHECK(count == 1);
    remuda_pool_free(host->pool);
    CHECK(host->destroyed == 1);
    CHECK(events[0]->kind == REMUDA_EVENT_SESSION_OPENED);
    CHECK(strcmp(events[0]->text, "claude") == 0);
    remuda_events_release(events, count);
    host_drop(host);
    alone();
}

static void too_many_events_that_are_not_released_are_refused(void)
{
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    const size_t most = 16384;
    const remuda_event **events = calloc(most, sizeof *events);
    size_t have = 0;
    size_t count = 0;
    CHECK(events != NULL);
    GOOD(remuda_pool_next_events(host->pool, events, most, 60000, &count, &err));
    remuda_events_release(events, count);
    /* One event, given out again and again. */
    while (have < most) {
        GOOD(remuda_session_replay(host->pool, session, 1, events + have, 1, &count, &err));
        CHECK(count == 1);
        have += count;
    }
    BAD(REMUDA_STATUS_TOO_MANY, "not released",
        remuda_pool_next_events(host->pool, events, 1, 0, &count, &err));
    remuda_events_release(events, 1);
    GOOD(remuda_pool_next_events(host->pool, events, 1, 0, &count, &err));
    CHECK(count == 0);
    remuda_events_release(events, most);
    free(events);
    GOOD(remuda_session_close(host->pool, session, &err));
    while (count_of(host, session, REMUDA_EVENT_SESSION_CLOSED) == 0) {
        host_take(host, 60000);
    }
    GOOD(remuda_pool_shutdown(host->pool, 60000, NULL, NULL, &err));
    remuda_pool_free(host->pool);
    host_drop(host);
    alone();
}

static void *pull_until_closed(void *pool)
{
    const remuda_event *events[4];
    size_t count = 0;
    while (remuda_pool_next_events(pool, events, 4, REMUDA_FOREVER, &count, NULL) ==
           REMUDA_STATUS_OK) {
        remuda_events_release(events, count);
    }
    return NULL;
}

static void free_and_shutdown_wake_those_who_wait_for_events(void)
{
    int frees;
    for (frees = 0; frees < 2; frees++) {
        struct host *host = host_pull(NULL);
        pthread_t threads[3];
        size_t i;
        for (i = 0; i < 3; i++) {
            CHECK(pthread_create(&threads[i], NULL, pull_until_closed, host->pool) == 0);
        }
        open_session(host, NULL, NULL);
        if (!frees) {
            GOOD(remuda_pool_shutdown(host->pool, 60000, NULL, NULL, &err));
        } else {
            remuda_pool_free(host->pool);
        }
        for (i = 0; i < 3; i++) {
            CHECK(pthread_join(threads[i], NULL) == 0);
        }
        remuda_pool_free(host->pool);
        CHECK(host->destroyed == 1);
        host_drop(host);
        alone();
    }
}

static void *call_until_closed(void *argument)
{
    remuda_pool *pool = argument;
    for (;;) {
        remuda_session session = 0;
        remuda_pool_stats stats;
        remuda_status status = try_open(pool, NULL, NULL, &session, NULL);
        if (status == REMUDA_STATUS_CLOSED) {
            return NULL;
        }
        CHECK(status == REMUDA_STATUS_OK);
        remuda_pool_stats_init(&stats, sizeof stats);
        remuda_pool_get_stats(pool, &stats, NULL);
        remuda_session_operate(pool, session, "{\"operation\":\"list_models\"}", 1, NULL);
        remuda_session_close(pool, session, NULL);
    }
}

static void a_pool_may_be_freed_while_other_threads_call(void)
{
    int round;
    for (round = 0; round < 5; round++) {
        struct host *host = host_push(NULL);
        pthread_t threads[4];
        int i;
        for (i = 0; i < 4; i++) {
            CHECK(pthread_create(&threads[i], NULL, call_until_closed, host->pool) == 0);
        }
        wait_for(host, 0, REMUDA_EVENT_SESSION_OPENED, (size_t)round * 3 + 1);
        remuda_pool_free(host->pool);
        CHECK(host->destroyed == 1);
        for (i = 0; i < 4; i++) {
            CHECK(pthread_join(threads[i], NULL) == 0);
        }
        host_drop(host);
        alone();
    }
}

static void t10_a_forked_copy_is_refused_and_does_not_hang(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    pid_t child;
    int status = 0;
    send_text(host, session, "[[words 500]]", 0);
    wait_for(host, session, REMUDA_EVENT_TEXT_DELTA, 1);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        remuda_pool *other = NULL;
        char *json = NULL;
        int good = remuda_session_close(host->pool, session, NULL) == REMUDA_STATUS_FORKED &&
                   remuda_pool_shutdown(host->pool, 1000, NULL, NULL, NULL) ==
                       REMUDA_STATUS_FORKED &&
                   remuda_doctor(0, &json, NULL, NULL) == REMUDA_STATUS_FORKED &&
                   remuda_pool_new(NULL, &other, NULL) == REMUDA_STATUS_FORKED;
        remuda_pool_free(host->pool);
        /* The one thing that such a copy may do. */
        execl("/bin/sh", "sh", "-c", good ? "exit 0" : "exit 1", (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    CHECK(host->destroyed == 0);
    host_end(host);
}

static volatile int reaping;

static void *reap(void *unused)
{
    while (reaping) {
        if (waitpid(-1, NULL, WNOHANG) <= 0) {
            nap();
        }
    }
    return unused;
}

static void t10_a_host_that_reaps_every_child_only_takes_exit_codes(void)
{
    struct host *host = host_push(NULL);
    pthread_t thread;
    remuda_session session = open_session(host, NULL, NULL);
    reaping = 1;
    CHECK(pthread_create(&thread, NULL, reap, NULL) == 0);
    send_text(host, session, "hello", 0);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    GOOD(remuda_session_close(host->pool, session, &err));
    CHECK(contains(wait_for(host, session, REMUDA_EVENT_SESSION_CLOSED, 1).json, "\"left\":[]"));
    reaping = 0;
    CHECK(pthread_join(thread, NULL) == 0);
    host_end(host);
}

/* Whether a process is there and not a zombie. */
static int lives(long pid)
{
    char path[64];
    char state = 'Z';
    FILE *file;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%*d %*[^)]) %c", &state) != 1) {
        state = 'Z';
    }
    fclose(file);
    return state != 'Z';
}

static void gone(long pid)
{
    int naps;
    for (naps = 0; naps < 60000 && lives(pid); naps++) {
        nap();
    }
    CHECK(!lives(pid));
}

static void t11_no_process_outlives_a_shutdown(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    long pid;
    send_text(host, session, "[[ignore-signals]] [[ignore-eof]] [[hang]]", 0);
    pid = (long)number_in(wait_for(host, session, REMUDA_EVENT_PROCESS_STARTED, 1).json, "pid");
    CHECK(lives(pid));
    GOOD(remuda_pool_shutdown(host->pool, 3000, NULL, NULL, &err));
    CHECK(!lives(pid));
    host_end(host);
}

static void t11_no_process_outlives_a_killed_host(void)
{
    int pipes[2];
    long pid = 0;
    pid_t child;
    CHECK(pipe(pipes) == 0);
    /* No pool is open here: the copy may make its own, in a process that makes its first. */
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char number[32];
        close(pipes[0]);
        snprintf(number, sizeof number, "%d", pipes[1]);
        execl(own_program, own_program, "be_killed", number, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    CHECK(read(pipes[0], &pid, sizeof pid) == (ssize_t)sizeof pid);
    close(pipes[0]);
    CHECK(lives(pid));
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    gone(pid);
}

/* The host that is killed: starts an agent, tells its pid, and waits. */
void be_killed(int out)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    long pid;
    send_text(host, session, "[[hang]]", 0);
    pid = (long)number_in(wait_for(host, session, REMUDA_EVENT_PROCESS_STARTED, 1).json, "pid");
    CHECK(write(out, &pid, sizeof pid) == (ssize_t)sizeof pid);
    for (;;) {
        pause();
    }
}

/* A signal that may come to a thread of this process, by its line in /proc. */
static int blocks(const char *task, int number)
{
    char path[300];
    char line[256];
    unsigned long long mask = 0;
    FILE *file;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
    file = fopen(path, "r");
    if (file == NULL) {
        return 1;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "SigBlk:", 7) == 0) {
            mask = strtoull(line + 7, NULL, 16);
        }
    }
    fclose(file);
    return (int)(mask >> (number - 1) & 1);
}

static void signals_of_the_host_do_not_come_to_threads_of_the_library(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    DIR *tasks;
    struct dirent *entry;
    char own[32];
    int others = 0;
    sigset_t now;
    send_text(host, session, "hello", 0);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    snprintf(own, sizeof own, "%ld", (long)getpid());
    tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    while ((entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, own) != 0) {
            others++;
            CHECK(blocks(entry->d_name, SIGINT) && blocks(entry->d_name, SIGTERM));
            CHECK(blocks(entry->d_name, SIGUSR1) && blocks(entry->d_name, SIGPIPE));
            CHECK(blocks(entry->d_name, SIGCHLD) && !blocks(entry->d_name, SIGSEGV));
        }
    }
    closedir(tasks);
    CHECK(others >= 3);
    /* This thread is as it was. */
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0);
    CHECK(!sigismember(&now, SIGTERM) && !sigismember(&now, SIGUSR1));
    host_end(host);
}

static void an_agent_that_dies_ends_a_turn_and_not_the_host(void)
{
    struct host *host = host_push("{\"downgrade\": \"never\"}");
    remuda_session session = open_session(host, NULL, NULL);
    struct seen end;
    send_text(host, session, "[[say here]] [[kill-self]]", 4);
    end = wait_for(host, session, REMUDA_EVENT_TURN_FAILED, 1);
    CHECK(end.event.status == REMUDA_STATUS_PROCESS_EXIT && end.event.tag == 4);
    CHECK(contains(end.json, "\"signal\":9"));
    send_text(host, session, "again", 5);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    host_end(host);
}

const struct test ending_tests[] = {
    TEST(after_shutdown_nothing_is_opened_and_after_free_nothing_is_answered),
    TEST(events_outlive_their_pool_until_they_are_released),
    TEST(too_many_events_that_are_not_released_are_refused),
    TEST(free_and_shutdown_wake_those_who_wait_for_events),
    TEST(a_pool_may_be_freed_while_other_threads_call),
    TEST(t10_a_forked_copy_is_refused_and_does_not_hang),
    TEST(t10_a_host_that_reaps_every_child_only_takes_exit_codes),
    TEST(t11_no_process_outlives_a_shutdown),
    TEST(t11_no_process_outlives_a_killed_host),
    TEST(signals_of_the_host_do_not_come_to_threads_of_the_library),
    TEST(an_agent_that_dies_ends_a_turn_and_not_the_host),
    {NULL, NULL},
};
