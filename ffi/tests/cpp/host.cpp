// The C++ header: values that own, errors in both ways, exceptions that stay where they are.
#include <remuda.hpp>

#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <set>
#include <stdexcept>
#include <type_traits>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::cerr << __FILE__ << ":" << __LINE__ << ": " << #condition << std::endl;           \
            std::abort();                                                                          \
        }                                                                                          \
    } while (0)

namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<remuda::pool>);
static_assert(!std::is_copy_constructible_v<remuda::session>);
static_assert(!std::is_copy_constructible_v<remuda::turn>);
static_assert(!std::is_copy_constructible_v<remuda::batch>);
static_assert(std::is_nothrow_move_constructible_v<remuda::pool>);
static_assert(std::is_nothrow_move_constructible_v<remuda::session>);
static_assert(std::is_nothrow_move_constructible_v<remuda::turn>);
static_assert(std::is_nothrow_move_constructible_v<remuda::hold>);

std::string variable(const char *name) {
    const char *value = std::getenv(name);
    CHECK(value != nullptr);
    return value;
}

remuda::session_options agent() {
    remuda::session_options options;
    options.provider = "claude";
    options.cwd = variable("REMUDA_TEST_FOLDER");
    options.program = variable("REMUDA_TEST_AGENT");
    options.json = R"({"environment": {"set": {"SCRIPTED_AGENT_PROTOCOL": "claude"}}})";
    return options;
}

// Reads until an event of this kind came; its text.
std::string until(const remuda::pool &pool, remuda_event_kind kind) {
    for (;;) {
        std::string text;
        bool found = false;
        for (const remuda::event event : pool.next_events(90s)) {
            if (event.kind() == kind) {
                text = std::string(event.text());
                found = true;
            }
        }
        if (found) {
            return text;
        }
    }
}

void events_are_a_range_and_values_own() {
    remuda::pool made(remuda::pool_options{});
    remuda::pool pool = std::move(made);
    CHECK(!made && pool);
    {
        remuda::session first = pool.open(agent());
        remuda::session session = std::move(first);
        CHECK(!first && session);
        const remuda::turn turn = session.send("hello", 7);
        CHECK(turn);
        CHECK(until(pool, REMUDA_EVENT_TURN_COMPLETED) == "You said: hello");
        std::uint64_t seq = 0;
        for (const remuda::event event : session.replay(1)) {
            CHECK(event.seq() == ++seq);
            CHECK(event.session() == session.id());
        }
        CHECK(seq >= 4);
        CHECK(session.snapshot().find("\"closed\":false") != std::string::npos);
        CHECK(session.options().find("\"provider\":\"claude\"") != std::string::npos);
        const remuda::hold hold = session.hold();
        remuda::message message;
        message.text = "again";
        message.on_busy = REMUDA_ON_BUSY_QUEUE;
        const remuda::sent sent = session.send(message);
        CHECK(sent.state == REMUDA_SENT_STARTED && sent.turn);
        session.operate(R"({"operation": "list_models"})", 5);
        session.change(R"({"model": "other"})", 6);
        until(pool, REMUDA_EVENT_TURN_COMPLETED);
        CHECK(pool.stats().turns_completed == 2);
    }
    // The value is gone, so the session is closed.
    until(pool, REMUDA_EVENT_SESSION_CLOSED);
    CHECK(pool.shutdown(60s).find("\"left\":[]") != std::string::npos);
    CHECK(pool.next_events().closed());
}

void errors_are_thrown_or_told_by_choice() {
    const remuda::pool pool(remuda::pool_options{});
    std::error_code code;
    const remuda::session none = pool.open({}, code);
    CHECK(!none && code.value() == REMUDA_STATUS_INVALID_ARGUMENT);
    CHECK(code.category() == remuda::category() && code.message() == "invalid_argument");
    try {
        pool.open({});
        CHECK(false);
    } catch (const remuda::error &error) {
        CHECK(error.code() == code);
        CHECK(std::string(error.what()).find("provider") != std::string::npos);
    }
    remuda::pool_options wrong;
    wrong.json = R"({"max_wram": 1})";
    const remuda::pool refused(wrong, code);
    CHECK(!refused && code.value() == REMUDA_STATUS_INVALID_ARGUMENT);
    // A call that goes well clears the code.
    CHECK(remuda::capabilities("codex", code).find("steer") != std::string::npos);
    CHECK(!code);
    const auto none_is_run = std::chrono::seconds(0);
    CHECK(remuda::doctor(none_is_run, code).find("\"containment\"") != std::string::npos);
    CHECK(!code);
    CHECK(remuda::doctor(std::chrono::seconds(-1), code).empty() && code);
    const remuda::session session = pool.open(agent());
    CHECK(session.send("", 0, code).id() == 0);
    CHECK(code.value() == REMUDA_STATUS_INVALID_ARGUMENT);
    session.edit(1, {}, code);
    CHECK(code);
    session.answer(1, "{}", 0, code);
    CHECK(code);
}

void t9_an_exception_of_a_callback_does_not_cross() {
    std::mutex lock;
    std::condition_variable more;
    std::set<remuda_event_kind> seen;
    int failures = 0;
    const remuda::pool pool(
        remuda::pool_options{},
        [&](const remuda::event &event) {
            const std::lock_guard<std::mutex> guard(lock);
            seen.insert(event.kind());
            more.notify_all();
            throw std::runtime_error("of the host");
        },
        [&](std::exception_ptr why) {
            try {
                std::rethrow_exception(why);
            } catch (const std::runtime_error &) {
                failures++;
            }
            throw 1;
        });
    const remuda::session session = pool.open(agent());
    session.send("hello");
    {
        std::unique_lock<std::mutex> guard(lock);
        CHECK(more.wait_for(guard, 90s, [&] { return seen.count(REMUDA_EVENT_TURN_COMPLETED) == 1; }));
    }
    pool.shutdown(60s);
    CHECK(seen.count(REMUDA_EVENT_SESSION_CLOSED) == 1);
    CHECK(failures > 4);
}

void a_pool_that_is_pushed_says_so() {
    const remuda::pool pool(remuda::pool_options{}, [](const remuda::event &) {});
    std::error_code code;
    pool.next_events(4, code);
    CHECK(code.value() == REMUDA_STATUS_WRONG_MODE);
    CHECK(pool.wake_fd(code) == -1 && code);
    CHECK(pool.options().find("max_warm") != std::string::npos);
}

// What is assigned to lets go at once of what it was.
void an_assignment_ends_what_was_there() {
    remuda::pool pool(remuda::pool_options{});
    remuda::session first = pool.open(agent());
    remuda::session second = pool.open(agent());
    first = std::move(second);
    CHECK(first && !second);
    until(pool, REMUDA_EVENT_SESSION_CLOSED);
    remuda::hold hold = first.hold();
    hold = first.hold();
    hold = remuda::hold();
    CHECK(remuda_session_unhold(pool.raw(), first.id(), nullptr) == REMUDA_STATUS_INVALID_ARGUMENT);
    remuda::pool other(remuda::pool_options{});
    pool = std::move(other);
    CHECK(pool && !other);
    remuda::batch::iterator none;
    CHECK(none == remuda::batch::iterator());
}

void what_c_cannot_say_is_refused_or_bounded() {
    using remuda::detail::milliseconds;
    CHECK(milliseconds(std::chrono::hours::max()) == REMUDA_FOREVER - 1);
    CHECK(milliseconds(std::chrono::nanoseconds::max()) == REMUDA_FOREVER - 1);
    CHECK(milliseconds(std::chrono::hours::min()) == 0);
    CHECK(milliseconds(1500us) == 1 && milliseconds(2s) == 2000);
    std::error_code code;
    remuda::pool_options options;
    options.idle_timeout = -1ms;
    CHECK(!remuda::pool(options, code) && code.value() == REMUDA_STATUS_INVALID_ARGUMENT);
    const remuda::pool pool(remuda::pool_options{}, remuda::pool::on_event());
    CHECK(pool.next_events(0s, 4, code).empty() && !code);
    remuda::session_options cut = agent();
    cut.cwd += std::string("\0/elsewhere", 11);
    CHECK(!pool.open(cut, code) && code.value() == REMUDA_STATUS_INVALID_ARGUMENT);
    pool.next_events(-1ms, 4, code);
    CHECK(code.value() == REMUDA_STATUS_INVALID_ARGUMENT);
    pool.shutdown(-1s, code);
    CHECK(code.value() == REMUDA_STATUS_INVALID_ARGUMENT);
    const remuda::session session = pool.open(agent());
    CHECK(session.send({"[[hang]]"}));
    session.answer(1, std::string("{\"answer\":\"allow\"}\0", 20), 0, code);
    CHECK(code.value() == REMUDA_STATUS_INVALID_ARGUMENT);
}

} // namespace

int main() {
    an_assignment_ends_what_was_there();
    what_c_cannot_say_is_refused_or_bounded();
    events_are_a_range_and_values_own();
    errors_are_thrown_or_told_by_choice();
    t9_an_exception_of_a_callback_does_not_cross();
    a_pool_that_is_pushed_says_so();
    // What the library started is gone when it says so; its threads end soon after.
    return 0;
}
