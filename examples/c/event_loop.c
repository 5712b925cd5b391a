/* A program with a loop of its own: reads lines from its input, sends each to an agent, and prints the answers. Events are
 * pulled when the loop says that some wait; no thread of the library enters this program.
 *
 *     cc event_loop.c $(pkg-config --cflags --libs remuda) && ./a.out claude .
 */
#define _POSIX_C_SOURCE 200809L
#include <remuda.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH 64

struct chat {
    remuda_pool *pool;
    remuda_session session;
    char line[4096];
    size_t length;
    int input_open;
    int running;
    int closed;
};

static int check(remuda_status status, remuda_error *err)
{
    if (status == REMUDA_STATUS_OK) {
        return 1;
    }
    fprintf(stderr, "%s: %s\n", remuda_status_name(status), remuda_error_message(err));
    remuda_error_free(err);
    return 0;
}

/* Sends a line. One that comes while the agent is busy waits in the session's queue. */
static void send_line(struct chat *chat, const char *text, size_t length)
{
    remuda_message message;
    remuda_error *err = NULL;
    remuda_message_init(&message, sizeof message);
    message.text = text;
    message.text_len = length;
    message.on_busy = REMUDA_ON_BUSY_QUEUE;
    if (check(remuda_session_send_message(chat->pool, chat->session, &message, NULL, &err), err)) {
        chat->running++;
    }
}

/* Reads what waits on the input, and sends the lines that are whole. */
static void read_input(struct chat *chat)
{
    char *newline;
    ssize_t got = read(STDIN_FILENO, chat->line + chat->length, sizeof chat->line - chat->length);
    if (got <= 0) {
        chat->input_open = 0;
        return;
    }
    chat->length += (size_t)got;
    while ((newline = memchr(chat->line, '\n', chat->length)) != NULL) {
        size_t length = (size_t)(newline - chat->line);
        if (length > 0) {
            send_line(chat, chat->line, length);
        }
        chat->length -= length + 1;
        memmove(chat->line, newline + 1, chat->length);
    }
    if (chat->length == sizeof chat->line) {
        chat->length = 0; /* A line that is too long for this example. */
    }
}

static void show(struct chat *chat, const remuda_event *event)
{
    switch (event->kind) {
    case REMUDA_EVENT_TEXT_DELTA:
        fwrite(event->text, 1, event->text_len, stdout);
        break;
    case REMUDA_EVENT_TURN_COMPLETED:
        printf("\n");
        chat->running--;
        break;
    case REMUDA_EVENT_TURN_FAILED:
    case REMUDA_EVENT_TURN_INTERRUPTED:
        printf("\n[%s] %s\n", remuda_event_kind_name(event->kind), event->text);
        chat->running--;
        break;
    case REMUDA_EVENT_SESSION_CLOSED:
        chat->closed = 1;
        break;
    default:
        break;
    }
    fflush(stdout);
}

/* Takes what waits, without waiting. 0: that failed. */
static int take_events(struct chat *chat)
{
    const remuda_event *events[BATCH];
    size_t count = 0;
    size_t i;
    for (;;) {
        remuda_error *err = NULL;
        if (!check(remuda_pool_next_events(chat->pool, events, BATCH, 0, &count, &err), err)) {
            return 0;
        }
        if (count == 0) {
            return 1;
        }
        for (i = 0; i < count; i++) {
            show(chat, events[i]);
        }
        remuda_events_release(events, count);
    }
}

int main(int argc, char **argv)
{
    static struct chat chat = {NULL, 0, "", 0, 1, 0, 0};
    remuda_session_config config;
    remuda_error *err = NULL;
    struct pollfd fds[2];
    int32_t events = -1;

    /* No on_event: the events are pulled. */
    if (!check(remuda_pool_new(NULL, &chat.pool, &err), err)) {
        return 1;
    }
    remuda_session_config_init(&config, sizeof config);
    config.provider = argc > 1 ? argv[1] : "claude";
    config.cwd = argc > 2 ? argv[2] : ".";
    if (!check(remuda_session_open(chat.pool, &config, &chat.session, &err), err) ||
        !check(remuda_pool_wake_fd(chat.pool, &events, &err), err)) {
        remuda_pool_free(chat.pool);
        return 1;
    }

    while (!chat.closed) {
        fds[0].fd = events;
        fds[0].events = POLLIN;
        fds[1].fd = chat.input_open ? STDIN_FILENO : -1; /* poll passes over -1. */
        fds[1].events = POLLIN;
        fds[1].revents = 0;
        if (poll(fds, 2, -1) < 0) {
            break;
        }
        if (fds[1].revents != 0) {
            read_input(&chat);
        }
        if (!take_events(&chat)) {
            break;
        }
        if (!chat.input_open && chat.running == 0) {
            remuda_session_close(chat.pool, chat.session, NULL);
        }
    }
    remuda_pool_shutdown(chat.pool, 10000, NULL, NULL, NULL);
    remuda_pool_free(chat.pool);
    return 0;
}
