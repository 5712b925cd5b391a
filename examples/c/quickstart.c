/* One question to an agent, its answer as it comes. Events are pushed: the library calls `on_event`.
 *
 *     cc quickstart.c $(pkg-config --cflags --libs remuda) -lpthread && ./a.out claude .
 */
#include <remuda.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* What `on_event` and `main` share. */
struct chat {
    pthread_mutex_t lock;
    pthread_cond_t over;
    int done;
    int failed;
};

/* Runs on a thread of the library, one event at a time. The event is borrowed until this returns. */
static void on_event(const remuda_event *event, void *user_data)
{
    struct chat *chat = user_data;
    int done = 0;
    switch (event->kind) {
    case REMUDA_EVENT_TEXT_DELTA:
        fwrite(event->text, 1, event->text_len, stdout);
        fflush(stdout);
        break;
    case REMUDA_EVENT_TURN_COMPLETED:
        printf("\n");
        done = 1;
        break;
    case REMUDA_EVENT_TURN_FAILED:
    case REMUDA_EVENT_TURN_INTERRUPTED:
        fprintf(stderr, "%s: %s\n", remuda_status_name(event->status), event->text);
        done = 1;
        break;
    default: /* Kinds that you do not know are ignored. */
        break;
    }
    if (done) {
        pthread_mutex_lock(&chat->lock);
        chat->done = 1;
        chat->failed = event->kind != REMUDA_EVENT_TURN_COMPLETED;
        pthread_cond_signal(&chat->over);
        pthread_mutex_unlock(&chat->lock);
    }
}

static int fail(remuda_error *err)
{
    fprintf(stderr, "%s: %s\n", remuda_status_name(remuda_error_status(err)),
            remuda_error_message(err));
    remuda_error_free(err);
    return 1;
}

int main(int argc, char **argv)
{
    const char *question = "Say hello in five words.";
    struct chat chat = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    remuda_pool_config pool_config;
    remuda_session_config config;
    remuda_pool *pool = NULL;
    remuda_session session = 0;
    remuda_error *err = NULL;

    remuda_pool_config_init(&pool_config, sizeof pool_config);
    pool_config.on_event = on_event;
    pool_config.user_data = &chat;
    if (remuda_pool_new(&pool_config, &pool, &err) != REMUDA_STATUS_OK) {
        return fail(err);
    }

    remuda_session_config_init(&config, sizeof config);
    config.provider = argc > 1 ? argv[1] : "claude";
    config.cwd = argc > 2 ? argv[2] : ".";
    if (remuda_session_open(pool, &config, &session, &err) != REMUDA_STATUS_OK ||
        remuda_session_send(pool, session, question, strlen(question), 0, NULL, &err) !=
            REMUDA_STATUS_OK) {
        remuda_pool_free(pool);
        return fail(err);
    }

    pthread_mutex_lock(&chat.lock);
    while (!chat.done) {
        pthread_cond_wait(&chat.over, &chat.lock);
    }
    pthread_mutex_unlock(&chat.lock);

    /* Ends the agent, and everything that it started. */
    remuda_pool_shutdown(pool, 10000, NULL, NULL, NULL);
    remuda_pool_free(pool);
    return chat.failed;
}
