/* A panic of the library becomes a status, poisons its pool and no other, and the pool can be freed. */
#define _POSIX_C_SOURCE 200809L
#include "../c/check.h"

#include <string.h>

static void panic_in_a_call(void)
{
    struct host *host = host_push(NULL);
    struct host *other = host_push(NULL);
    remuda_session_config config;
    remuda_session session = open_session(host, NULL, NULL);
    remuda_pool_stats stats;
    remuda_session_config_init(&config, sizeof config);
    remuda_pool_stats_init(&stats, sizeof stats);
    config.provider = "panic";
    config.cwd = "/";
    BAD(REMUDA_STATUS_PANIC, "panicked", remuda_session_open(host->pool, &config, NULL, &err));
    BAD(REMUDA_STATUS_PANIC, "freed", remuda_pool_get_stats(host->pool, &stats, &err));
    BAD(REMUDA_STATUS_PANIC, "freed", remuda_session_close(host->pool, session, &err));
    BAD(REMUDA_STATUS_PANIC, "freed", remuda_pool_shutdown(host->pool, 1000, NULL, NULL, &err));
    GOOD(remuda_pool_get_stats(other->pool, &stats, &err));
    remuda_pool_free(host->pool);
    CHECK(host->destroyed == 1);
    host_drop(host);
    host_end(other);
}

static void panic_of_the_thread_that_pushes(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    int naps;
    remuda_pool_stats stats;
    remuda_pool_stats_init(&stats, sizeof stats);
    send_text(host, session, "[[say panic]]", 0);
    for (naps = 0; naps < 60000; naps++) {
        if (remuda_pool_get_stats(host->pool, &stats, NULL) == REMUDA_STATUS_PANIC) {
            break;
        }
        nap();
    }
    BAD(REMUDA_STATUS_PANIC, "freed", remuda_pool_get_stats(host->pool, &stats, &err));
    CHECK(host->destroyed == 0);
    remuda_pool_free(host->pool);
    CHECK(host->destroyed == 1);
    host_drop(host);
    alone();
}

static void panic_of_a_pull(void)
{
    struct host *host = host_pull(NULL);
    remuda_session session = open_session(host, NULL, NULL);
    const remuda_event *events[16];
    size_t count = 0;
    remuda_status status = REMUDA_STATUS_OK;
    send_text(host, session, "[[say panic]]", 0);
    while (status == REMUDA_STATUS_OK) {
        status = remuda_pool_next_events(host->pool, events, 16, 60000, &count, NULL);
        remuda_events_release(events, status == REMUDA_STATUS_OK ? count : 0);
    }
    CHECK(status == REMUDA_STATUS_PANIC);
    BAD(REMUDA_STATUS_PANIC, "freed",
        remuda_pool_next_events(host->pool, events, 16, 60000, &count, &err));
    remuda_pool_free(host->pool);
    CHECK(host->destroyed == 1);
    host_drop(host);
    alone();
}




int main(void)
{
    panic_in_a_call();
    panic_of_the_thread_that_pushes();
    panic_of_a_pull();
    return 0;
}
