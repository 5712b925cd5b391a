/* The limit: what it costs to have an agent's output at all. It reads in pieces of 64 KiB and counts line ends with
 * memchr; nothing is parsed. It is the bare driver, too: no library between it and the agent.
 *
 *     limit pipe|socket|thread warm|each PROVIDER AGENT FOLDER SESSIONS TURNS PROMPT
 *
 * pipe: the agent writes into a pipe. socket: into a socket, which nobody else can open to forge a line. thread: into
 * a socket, and another thread than the one that reads is told, as it must be where the host has a thread of its own.
 *
 * Prints the line of JSON that every host prints: see bench/src/host.rs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIECE (64 << 10)
/* As much of a line as says what it is. */
#define HEAD 512

static const char *provider, *agent, *folder, *prompt;
static int is_codex, by_socket, by_thread;

struct child {
    pid_t pid;
    int in, out;
    /* The beginning of the line under way, and how much of it is here. */
    char head[HEAD];
    size_t len;
};

static uint64_t lines, bytes;
static int64_t *stamps;
static size_t stamped, room;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static long peak_kb(void)
{
    char line[256];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "VmHWM: %ld", &peak) == 1) {
            break;
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return peak;
}

static void say(struct child *child, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(child->in, text, left);
        if (written < 0) {
            fail("write");
        }
        text += written;
        left -= (size_t)written;
    }
}

static void start(struct child *child)
{
    static char *const claude[] = {"claude", "-p", "--input-format=stream-json",
        "--output-format=stream-json", "--verbose", "--include-partial-messages",
        "--replay-user-messages", "--permission-prompt-tool=stdio", NULL};
    static char *const codex[] = {"codex", "app-server", NULL};
    int in[2], out[2];
    memset(child, 0, sizeof *child);
    if (pipe2(in, O_CLOEXEC) != 0 ||
        (by_socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) : pipe2(out, O_CLOEXEC)) != 0) {
        fail("pipe");
    }
    child->pid = vfork();
    if (child->pid < 0) {
        fail("vfork");
    }
    if (child->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        if (chdir(folder) == 0) {
            execv(agent, is_codex ? codex : claude);
        }
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    child->in = in[1];
    child->out = out[0];
}

static void end(struct child *child)
{
    char rest[PIECE];
    close(child->in);
    while (read(child->out, rest, sizeof rest) > 0) {
    }
    close(child->out);
    waitpid(child->pid, NULL, 0);
}

/* Text for a JSON string. */
static const char *quoted(const char *text)
{
    static char made[8192];
    size_t at = 0;
    for (; *text != '\0' && at < sizeof made - 2; text++) {
        if (*text == '"' || *text == '\\') {
            made[at++] = '\\';
        }
        made[at++] = *text;
    }
    made[at] = '\0';
    return made;
}

/* Notes when a delta that carries the clock was written, and when it came. */
static void note_stamp(const char *head)
{
    /* Of a piece. The whole message says them all again. */
    const char *piece = strstr(head, "\"delta\":{");
    const char *text = piece == NULL ? NULL : strstr(piece, "\"text\":\"");
    long long at = text == NULL ? 0 : atoll(text + 8);
    if (at > 1000000000 && stamped < room) {
        stamps[stamped++] = now_ns() - at;
    }
}

static int is_end(const char *head)
{
    if (is_codex) {
        return strstr(head, "\"method\":\"turn/completed\"") != NULL;
    }
    /* The real agent's result begins with other members, and says what it is far behind. */
    return strstr(head, "\"type\":\"result\"") != NULL || strstr(head, "{\"duration_api_ms\":") == head;
}

/* Whether a whole line begins as the end of a turn does. */
static int ends(const char *line, size_t len)
{
    const char *start = is_codex ? "{\"method\":\"turn/completed\"" : "{\"type\":\"result\"";
    const char *real = "{\"duration_api_ms\":";
    return len > 30 && (memcmp(line, start, strlen(start)) == 0 || memcmp(line, real, strlen(real)) == 0);
}

/* Takes a piece of output; `wanted` stands in the line that is waited for. 1: it came, and `found` has its beginning. */
static int take(struct child *child, const char *piece, size_t size, const char *wanted,
    char *found, int64_t *first)
{
    const char *at = piece, *last = piece + size;
    int over = 0;
    bytes += size;
    while (at < last) {
        const char *line_end = memchr(at, '\n', (size_t)(last - at));
        size_t len = (size_t)((line_end == NULL ? last : line_end) - at);
        size_t fits = HEAD - 1 - child->len;
        /* For most lines nothing is done but counting. */
        int looks = room > 0 || wanted != NULL || *first == 0 || line_end == NULL || at == piece || ends(at, len);
        if (looks && fits > 0) {
            memcpy(child->head + child->len, at, len < fits ? len : fits);
            child->len += len < fits ? len : fits;
            child->head[child->len] = '\0';
        }
        if (line_end == NULL) {
            break;
        }
        lines++;
        if (looks) {
            if (room > 0) {
                note_stamp(child->head);
            }
            if (*first == 0 && (strstr(child->head, "text_delta") != NULL ||
                                   strstr(child->head, "agentMessage/delta") != NULL)) {
                *first = now_ns();
            }
            if (wanted == NULL ? is_end(child->head) : strstr(child->head, wanted) != NULL) {
                over = 1;
                if (found != NULL) {
                    strcpy(found, child->head);
                }
            }
            child->len = 0;
        }
        at = line_end + 1;
    }
    return over;
}

static size_t more(int out, char *piece)
{
    for (;;) {
        ssize_t size = read(out, piece, PIECE);
        if (size > 0) {
            return (size_t)size;
        }
        if (size == 0 || errno != EINTR) {
            fprintf(stderr, "the agent's output ended\n");
            exit(1);
        }
    }
}

/* What one thread has read and the other has not taken. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char piece[PIECE];
    size_t size;
    int out;
} desk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *read_on(void *nothing)
{
    static char piece[PIECE];
    (void)nothing;
    for (;;) {
        ssize_t size = read(desk.out, piece, sizeof piece);
        if (size <= 0) {
            return NULL;
        }
        pthread_mutex_lock(&desk.lock);
        while (desk.size > 0) {
            pthread_cond_wait(&desk.changed, &desk.lock);
        }
        memcpy(desk.piece, piece, (size_t)size);
        desk.size = (size_t)size;
        pthread_cond_signal(&desk.changed);
        pthread_mutex_unlock(&desk.lock);
    }
}

static size_t more_of_thread(char *piece)
{
    size_t size;
    pthread_mutex_lock(&desk.lock);
    while (desk.size == 0) {
        pthread_cond_wait(&desk.changed, &desk.lock);
    }
    size = desk.size;
    memcpy(piece, desk.piece, size);
    desk.size = 0;
    pthread_cond_signal(&desk.changed);
    pthread_mutex_unlock(&desk.lock);
    return size;
}

static int64_t await_line(struct child *child, const char *wanted, char *found)
{
    static char piece[PIECE];
    int64_t first = wanted == NULL ? 0 : 1;
    for (;;) {
        size_t size = by_thread ? more_of_thread(piece) : more(child->out, piece);
        if (take(child, piece, size, wanted, found, &first)) {
            return first;
        }
    }
}

static char thread[128];

static void open_codex(struct child *child)
{
    char line[8192], found[HEAD];
    const char *id;
    size_t len;
    say(child, "{\"id\":1,\"method\":\"initialize\",\"params\":{\"clientInfo\":{\"name\":\"limit\","
               "\"version\":\"1\"}}}\n");
    await_line(child, "\"id\":1,", NULL);
    snprintf(line, sizeof line,
        "{\"method\":\"initialized\"}\n{\"id\":2,\"method\":\"thread/start\",\"params\":{\"cwd\":\"%s\","
        "\"approvalPolicy\":\"never\"}}\n",
        folder);
    say(child, line);
    await_line(child, "\"thread\":{", found);
    id = strstr(found, "\"thread\":{");
    id = strstr(id, "\"id\":\"");
    if (id == NULL) {
        fprintf(stderr, "no thread: %s\n", found);
        exit(1);
    }
    id += 6;
    len = strcspn(id, "\"");
    memcpy(thread, id, len);
    thread[len] = '\0';
}

static void ask(struct child *child, const char *text)
{
    static char line[16384];
    if (is_codex) {
        snprintf(line, sizeof line,
            "{\"id\":3,\"method\":\"turn/start\",\"params\":{\"threadId\":\"%s\",\"input\":[{\"type\":"
            "\"text\",\"text\":\"%s\"}]}}\n",
            thread, quoted(text));
    } else {
        snprintf(line, sizeof line,
            "{\"type\":\"user\",\"message\":{\"role\":\"user\",\"content\":\"%s\"},"
            "\"parent_tool_use_id\":null,\"session_id\":\"\"}\n",
            quoted(text));
    }
    say(child, line);
}

static int64_t turn(struct child *child, const char *text)
{
    ask(child, text);
    return await_line(child, NULL, NULL);
}

/* A turn of each at once. */
static void turns_of_all(struct child *children, int count)
{
    static char piece[PIECE];
    int i, ready, left = count, poll = epoll_create1(EPOLL_CLOEXEC);
    for (i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = &children[i]}};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, children[i].out, &event) != 0) {
            fail("epoll_ctl");
        }
        ask(&children[i], prompt);
    }
    while (left > 0) {
        struct epoll_event events[256];
        ready = epoll_wait(poll, events, 256, -1);
        for (i = 0; i < ready; i++) {
            struct child *child = events[i].data.ptr;
            int64_t first = 1;
            left -= take(child, piece, more(child->out, piece), NULL, NULL, &first);
        }
    }
    close(poll);
}

static int by_size(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static int64_t at(const int64_t *sorted, size_t count, size_t percent)
{
    return count == 0 ? 0 : sorted[(count - 1) * percent / 100];
}

int main(int argc, char **argv)
{
    struct child *children;
    pthread_t reader;
    int64_t *firsts, *ends, wall, cpu;
    int sessions, turns, i, warm;
    if (argc != 9) {
        fprintf(stderr, "limit pipe|socket|thread warm|each PROVIDER AGENT FOLDER SESSIONS TURNS PROMPT\n");
        return 2;
    }
    by_thread = strcmp(argv[1], "thread") == 0;
    by_socket = by_thread || strcmp(argv[1], "socket") == 0;
    warm = strcmp(argv[2], "warm") == 0;
    provider = argv[3];
    agent = argv[4];
    folder = argv[5];
    sessions = atoi(argv[6]);
    turns = atoi(argv[7]);
    prompt = argv[8];
    is_codex = strcmp(provider, "codex") == 0;
    if (sessions < 1 || turns < 1 || ((by_thread || sessions > 1) && !warm) || (sessions > 1 && turns > 1)) {
        fprintf(stderr, "another thread is for a warm session, and several sessions are for a warm turn each\n");
        return 2;
    }
    children = calloc((size_t)sessions, sizeof *children);
    firsts = calloc((size_t)turns, sizeof *firsts);
    ends = calloc((size_t)turns, sizeof *ends);
    if (strstr(prompt, "stamped") != NULL) {
        room = 1 << 20;
        stamps = calloc(room, sizeof *stamps);
    }
    for (i = 0; warm && i < sessions; i++) {
        start(&children[i]);
        desk.out = children[i].out;
        if (by_thread && pthread_create(&reader, NULL, read_on, NULL) != 0) {
            fail("pthread_create");
        }
        if (is_codex) {
            open_codex(&children[i]);
        }
        turn(&children[i], "hello");
    }
    lines = bytes = 0;
    stamped = 0;
    cpu = cpu_us();
    wall = now_ns();
    for (i = 0; sessions == 1 && i < turns; i++) {
        int64_t begin = now_ns();
        int64_t first;
        if (!warm) {
            start(children);
            if (is_codex) {
                open_codex(children);
            }
        }
        first = turn(children, prompt);
        firsts[i] = first == 0 ? 0 : first - begin;
        ends[i] = now_ns() - begin;
        if (!warm) {
            end(children);
        }
    }
    if (sessions > 1) {
        turns_of_all(children, sessions);
    }
    wall = now_ns() - wall;
    cpu = cpu_us() - cpu;
    qsort(firsts, (size_t)turns, sizeof *firsts, by_size);
    qsort(ends, (size_t)turns, sizeof *ends, by_size);
    qsort(stamps, stamped, sizeof *stamps, by_size);
    printf("{\"cpu_us\":%lld,\"wall_us\":%lld,\"events\":%llu,\"bytes\":%llu,\"peak_kb\":%ld,"
           "\"first_us\":%.1f,\"end_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
        (long long)cpu, (long long)wall / 1000, (unsigned long long)lines,
        (unsigned long long)bytes, peak_kb(), (double)at(firsts, (size_t)turns, 50) / 1e3,
        (double)at(ends, (size_t)turns, 50) / 1e3, (double)at(stamps, stamped, 50) / 1e3,
        (double)at(stamps, stamped, 99) / 1e3, (double)at(stamps, stamped, 100) / 1e3);
    fflush(stdout);
    for (i = 0; warm && i < sessions; i++) {
        end(&children[i]);
    }
    return 0;
}
