/* A fuzzer of call sequences: each input is a list of calls with arguments, good ones, bad ones and stale ones.
 *
 * The library is not instrumented: what guides the fuzzer is which call gave which status, which it is told by counters.
 * After each input every pool is freed and every event released; the sanitizer sees what is lost or used too late.
 */
#define _POSIX_C_SOURCE 200809L
#include <remuda.h>

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POOLS 3
#define IDS 8
#define HELD 64
#define CALLS 32

/* (call, kind of status): seen by libFuzzer. */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[CALLS * 64];

struct input {
    const uint8_t *bytes;
    size_t left;
};

struct world {
    remuda_pool *pools[POOLS];
    uint64_t ids[IDS];
    const remuda_event *held[HELD];
    size_t holds;
    int processes;
};

static uint8_t byte(struct input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->bytes++;
}

static void note(unsigned call, remuda_status status, remuda_error **err)
{
    static const remuda_status known[] = {0,   100, 101, 102, 103, 104, 105, 106, 150,
                                          151, 152, 200, 201, 250, 900, 950};
    size_t i;
    for (i = 0; i < sizeof known / sizeof *known && known[i] != status; i++) {
    }
    counters[call * 64 + i]++;
    if (status == REMUDA_STATUS_PANIC || status == REMUDA_STATUS_INTERNAL ||
        (status == REMUDA_STATUS_OK) != (*err == NULL) || remuda_error_status(*err) != status ||
        i == sizeof known / sizeof *known) {
        fprintf(stderr, "call %u: %u %s\n", call, status, remuda_error_message(*err));
        abort();
    }
    remuda_error_free(*err);
    *err = NULL;
}

/* Text from the input, now and then with something known in it. NULL now and then. */
static const char *text(struct input *input, char *buffer, size_t size)
{
    static const char *const known[] = {
        "",
        "{}",
        "claude",
        "/",
        "{\"answer\":\"allow\"}",
        "{\"model\":\"x\"}",
        "{\"operation\":\"list_models\"}",
        "{\"max_warm\":1,\"threads\":1}",
        "{\"budget\":{\"max_duration_ms\":1}}",
        "[[hang]]",
        "hello",
        "\xff\xfe",
        "{\"max_warm\":",
        "{\"requests\":\"host\"}",
    };
    uint8_t choice = byte(input);
    size_t length;
    size_t i;
    if (choice == 255) {
        return NULL;
    }
    if (choice < 128) {
        return known[choice % (sizeof known / sizeof *known)];
    }
    length = choice % 32 < size ? choice % 32 : size - 1;
    for (i = 0; i < length; i++) {
        buffer[i] = (char)byte(input);
    }
    buffer[length] = '\0';
    return buffer;
}

static uint64_t id(struct input *input, const struct world *world)
{
    uint8_t choice = byte(input);
    return choice < 240 ? world->ids[choice % IDS] : (uint64_t)(choice - 240) * 1000;
}

static void keep(struct world *world, uint64_t number)
{
    memmove(world->ids + 1, world->ids, sizeof world->ids - sizeof *world->ids);
    world->ids[0] = number;
}

/* Reads every byte of an event, so that the sanitizer sees what is not there. */
static void look(const remuda_event *event)
{
    volatile unsigned sum = 0;
    size_t i;
    for (i = 0; i <= event->text_len; i++) {
        sum += (unsigned char)event->text[i];
    }
    for (i = 0; event->json != NULL && i <= event->json_len; i++) {
        sum += (unsigned char)event->json[i];
    }
    (void)sum;
}

static void on_event(const remuda_event *event, void *user_data)
{
    remuda_pool **pool = user_data;
    look(event);
    /* Something that is allowed here, whatever the event is. */
    remuda_session_close(__atomic_load_n(pool, __ATOMIC_RELAXED), event->session + 1, NULL);
}

static void destroy(void *user_data)
{
    free(user_data);
}

static void make_pool(struct input *input, struct world *world)
{
    char buffer[64];
    remuda_pool_config config;
    remuda_error *err = NULL;
    remuda_pool **own = malloc(sizeof *own);
    size_t at = byte(input) % POOLS;
    remuda_pool *pool = NULL;
    remuda_status status;
    remuda_pool_config_init(&config, sizeof config);
    *own = NULL;
    config.on_event = byte(input) % 2 ? on_event : NULL;
    config.user_data = own;
    config.destroy = destroy;
    config.max_warm = byte(input) % 4;
    config.options_json = text(input, buffer, sizeof buffer);
    config.struct_size = byte(input) == 7 ? sizeof(size_t) * 4 + byte(input) % 16 : sizeof config;
    if (config.struct_size < sizeof(size_t) * 4) {
        config.struct_size = sizeof(size_t) * 4;
    }
    status = remuda_pool_new(&config, &pool, &err);
    note(0, status, &err);
    if (status == REMUDA_STATUS_OK) {
        __atomic_store_n(own, pool, __ATOMIC_RELAXED);
        remuda_pool_free(world->pools[at]);
        world->pools[at] = pool;
    }
}

static void open_one(struct input *input, struct world *world, remuda_pool *pool)
{
    char buffers[3][64];
    remuda_session_config config;
    remuda_error *err = NULL;
    remuda_session session = 0;
    uint8_t good = byte(input);
    remuda_status status;
    remuda_session_config_init(&config, sizeof config);
    config.provider = good < 200 ? "claude" : text(input, buffers[0], sizeof buffers[0]);
    config.cwd = good < 220 ? "/" : text(input, buffers[1], sizeof buffers[1]);
    config.program = good < 240 ? getenv("REMUDA_TEST_AGENT") : NULL;
    config.options_json = good % 3 ? NULL : text(input, buffers[2], sizeof buffers[2]);
    status = remuda_session_open(pool, &config, &session, &err);
    note(1, status, &err);
    if (status == REMUDA_STATUS_OK) {
        keep(world, session);
    }
}

static void send(struct input *input, struct world *world, remuda_pool *pool)
{
    char buffers[2][64];
    remuda_message message;
    remuda_sent sent;
    remuda_error *err = NULL;
    remuda_status status;
    const char *said = text(input, buffers[0], sizeof buffers[0]);
    uint64_t session = id(input, world);
    /* A process costs a thousand calls. */
    if (world->processes++ > 2) {
        said = "";
    }
    remuda_message_init(&message, sizeof message);
    message.text = said;
    message.text_len = said == NULL ? byte(input) : strlen(said);
    message.tag = byte(input);
    message.on_busy = byte(input) % 4;
    message.options_json = byte(input) % 4 ? NULL : text(input, buffers[1], sizeof buffers[1]);
    remuda_sent_init(&sent, sizeof sent);
    status = remuda_session_send_message(pool, session, &message, &sent, &err);
    note(2, status, &err);
    if (status == REMUDA_STATUS_OK) {
        keep(world, sent.turn);
    }
}

static void take(struct input *input, struct world *world, remuda_pool *pool, int again)
{
    remuda_error *err = NULL;
    size_t count = 0;
    size_t i;
    size_t room = HELD - world->holds;
    remuda_status status;
    if (room > 16) {
        room = byte(input) % 17;
    }
    status = again ? remuda_session_replay(pool, id(input, world), byte(input),
                                           world->held + world->holds, room, &count, &err)
                   : remuda_pool_next_events(pool, world->held + world->holds, room,
                                             byte(input) % 3, &count, &err);
    note(again ? 4 : 3, status, &err);
    for (i = 0; i < count; i++) {
        look(world->held[world->holds + i]);
        keep(world, world->held[world->holds + i]->session);
    }
    world->holds += count;
}

static void release(struct input *input, struct world *world)
{
    size_t count = byte(input) % (HELD + 1);
    count = count < world->holds ? count : world->holds;
    world->holds -= count;
    remuda_events_release(world->held + world->holds, count);
}

static void ask(unsigned which, struct input *input, struct world *world, remuda_pool *pool)
{
    char buffer[64];
    char *json = NULL;
    size_t len = 0;
    int32_t fd = -1;
    remuda_pool_stats stats;
    remuda_error *err = NULL;
    uint64_t session = id(input, world);
    remuda_status status = REMUDA_STATUS_OK;
    remuda_pool_stats_init(&stats, sizeof stats);
    switch (which) {
    case 0: status = remuda_session_snapshot(pool, session, &json, &len, &err); break;
    case 1: status = remuda_session_options(pool, session, &json, NULL, &err); break;
    case 2: status = remuda_pool_options(pool, &json, &len, &err); break;
    case 3: status = remuda_capabilities(text(input, buffer, sizeof buffer), &json, &len, &err); break;
    case 4: status = remuda_pool_get_stats(pool, &stats, &err); break;
    case 5: status = remuda_pool_wake_fd(pool, &fd, &err); break;
    default: status = remuda_pool_shutdown(pool, byte(input) % 8, &json, &len, &err); break;
    }
    note(8 + which, status, &err);
    if (json != NULL && len != 0 && strlen(json) != len) {
        abort();
    }
    remuda_string_free(json);
}

static void tell(unsigned which, struct input *input, struct world *world, remuda_pool *pool)
{
    char buffer[64];
    remuda_message message;
    remuda_error *err = NULL;
    uint64_t session = id(input, world);
    uint64_t other = id(input, world);
    const char *json = text(input, buffer, sizeof buffer);
    uint64_t tag = byte(input);
    remuda_status status;
    remuda_message_init(&message, sizeof message);
    message.text = json;
    message.text_len = json == NULL ? 0 : strlen(json);
    switch (which) {
    case 0: status = remuda_session_answer(pool, session, other, json, tag, &err); break;
    case 1: status = remuda_session_change(pool, session, json, tag, &err); break;
    case 2: status = remuda_session_interrupt(pool, session, other, (uint32_t)tag % 5, tag, &err); break;
    case 3: status = remuda_session_cancel(pool, session, other, &err); break;
    case 4: status = remuda_session_edit(pool, session, other, &message, &err); break;
    case 5: status = remuda_session_hold(pool, session, &err); break;
    case 6: status = remuda_session_unhold(pool, session, &err); break;
    case 7: status = remuda_session_close(pool, session, &err); break;
    default:
        /* An operation starts a process. */
        if (world->processes++ > 2) {
            return;
        }
        status = remuda_session_operate(pool, session, json, tag, &err);
        break;
    }
    note(16 + which, status, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
/* The number of threads of this process. */
static int threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    if (tasks != NULL) {
        while (readdir(tasks) != NULL) {
            count++;
        }
        closedir(tasks);
    }
    return count;
}

/* Threads of freed pools end soon after. What they hold while they do would be taken for lost. */
static void wait_for_threads(int before)
{
    struct timespec pause = {0, 100000};
    int naps;
    for (naps = 0; naps < 600000 && threads() > before; naps++) {
        nanosleep(&pause, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input;
    struct world world;
    size_t i;
    const int before = threads();
    input.bytes = bytes;
    input.left = size;
    memset(&world, 0, sizeof world);
    while (input.left > 0) {
        uint8_t call = byte(&input);
        remuda_pool *pool = world.pools[call / 32 % POOLS];
        switch (call % 32) {
        case 0: make_pool(&input, &world); break;
        case 1:
        case 2:
        case 3: open_one(&input, &world, pool); break;
        case 4:
        case 5: send(&input, &world, pool); break;
        case 6:
        case 7: take(&input, &world, pool, 0); break;
        case 8: take(&input, &world, pool, 1); break;
        case 9:
            if (world.holds > 0) {
                release(&input, &world);
            }
            break;
        case 10: remuda_pool_free(pool); break;
        default:
            if (call % 32 < 18) {
                ask(call % 32U - 11, &input, &world, pool);
            } else if (call % 32 < 27) {
                tell(call % 32U - 18, &input, &world, pool);
            } else {
                make_pool(&input, &world);
            }
            break;
        }
    }
    for (i = 0; i < POOLS; i++) {
        remuda_pool_free(world.pools[i]);
        remuda_pool_free(world.pools[i]);
    }
    remuda_events_release(world.held, world.holds);
    wait_for_threads(before);
    return 0;
}
