// Remuda for C++17: header only, over remuda.h, with no other dependency.
//
// Pools, sessions and turns are move-only values. What a call cannot do it says in one of two ways, by choice: it throws
// `remuda::error`, or it sets the `std::error_code` that was given as its last argument:
//
//     session.send("hello");              // throws
//     session.send("hello", 0, code);     // sets code
//
// Without exceptions (-fno-exceptions) give the code to every call: one that fails without it ends the program.
//
// Every method may be called from any thread; moving and destroying a value may not meet other calls on it. The contract
// is in docs/abi.md.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef REMUDA_HPP
#define REMUDA_HPP

#include "remuda.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#if defined(__cpp_exceptions)
#define REMUDA_TRY try
#define REMUDA_CATCH_ALL catch (...)
#else
#include <cstdlib>
#define REMUDA_TRY if (true)
#define REMUDA_CATCH_ALL else
#endif

namespace remuda {

/// The category of this library's codes: their values are `REMUDA_STATUS_…`.
inline const std::error_category &category() noexcept {
    class codes final : public std::error_category {
        const char *name() const noexcept override { return "remuda"; }
        std::string message(int code) const override {
            return remuda_status_name(static_cast<std::uint32_t>(code));
        }
    };
    static const codes instance;
    return instance;
}

/// A failed call: `code().value()` is a `REMUDA_STATUS_…`, `what()` begins with one line to read.
class error : public std::system_error {
  public:
    error(remuda_status status, const char *message)
        : std::system_error(static_cast<int>(status), category(), message) {}
};

/// How a call tells that it failed: by an exception, or in a `std::error_code`. Not made by hand.
class errors {
  public:
    errors() noexcept = default;
    errors(std::error_code &code) noexcept : code_(&code) {}

    /// Makes a call of the C ABI; whether it went well, if it returns.
    template <class Call> bool check(Call &&call) const {
        remuda_error *err = nullptr;
        const remuda_status status = call(&err);
        const std::unique_ptr<remuda_error, void (*)(remuda_error *)> owned(err, remuda_error_free);
        if (code_ != nullptr) {
            code_->assign(static_cast<int>(status), category());
        } else if (status != REMUDA_STATUS_OK) {
#if defined(__cpp_exceptions)
            throw error(status, remuda_error_message(err));
#else
            std::abort();
#endif
        }
        return status == REMUDA_STATUS_OK;
    }

    /// Reports an argument that C cannot be given.
    void refuse(const char *why) const {
        if (code_ != nullptr) {
            code_->assign(static_cast<int>(REMUDA_STATUS_INVALID_ARGUMENT), category());
            return;
        }
#if defined(__cpp_exceptions)
        throw error(REMUDA_STATUS_INVALID_ARGUMENT, why);
#else
        (void)why;
        std::abort();
#endif
    }

  private:
    std::error_code *code_ = nullptr;
};

namespace detail {

/// A string that an output gave.
inline std::string taken(char *text, std::size_t len) {
    const std::unique_ptr<char, void (*)(char *)> owned(text, remuda_string_free);
    return text == nullptr ? std::string() : std::string(text, len);
}

/// The text, or one that is not UTF-8 and so is refused with the name of the argument if it has a NUL in it.
inline const char *whole(const std::string &text) noexcept {
    return text.find('\0') == std::string::npos ? text.c_str() : "\xff";
}

/// NULL for an empty string: the default. A string with a NUL in it would end there, and becomes one that is refused.
inline const char *or_null(const std::string &text) noexcept {
    return text.empty() ? nullptr : whole(text);
}

/// Whole milliseconds, the nearest that there are. Compared in a floating unit: none overflows there.
template <class Rep, class Period>
std::uint32_t milliseconds(std::chrono::duration<Rep, Period> duration) noexcept {
    using wide = std::chrono::duration<long double, std::milli>;
    const long double count = wide(duration).count();
    const auto most = static_cast<long double>(REMUDA_FOREVER - 1);
    return !(count > 0) ? 0 : static_cast<std::uint32_t>(count < most ? count : most);
}

} // namespace detail

/// One thing that happened. Borrowed: in a callback until it returns, else from its batch.
class event {
  public:
    explicit event(const remuda_event *raw) noexcept : raw_(raw) {}

    remuda_event_kind kind() const noexcept { return raw_->kind; }
    const char *name() const noexcept { return remuda_event_kind_name(raw_->kind); }
    /// Why it went wrong, if it did.
    std::error_code status() const noexcept { return {static_cast<int>(raw_->status), category()}; }
    remuda_session session() const noexcept { return raw_->session; }
    void *session_data() const noexcept { return raw_->session_data; }
    std::uint64_t seq() const noexcept { return raw_->seq; }
    remuda_turn turn() const noexcept { return raw_->turn; }
    std::uint64_t tag() const noexcept { return raw_->tag; }
    remuda_request request() const noexcept { return raw_->request; }
    std::chrono::nanoseconds time_since_epoch() const noexcept {
        return std::chrono::nanoseconds(raw_->time_unix_ns);
    }
    std::string_view text() const noexcept { return {raw_->text, raw_->text_len}; }
    /// Empty where kind and text say everything.
    std::string_view json() const noexcept {
        return raw_->json == nullptr ? std::string_view() : std::string_view(raw_->json, raw_->json_len);
    }
    bool is_turn_end() const noexcept {
        return kind() == REMUDA_EVENT_TURN_COMPLETED || kind() == REMUDA_EVENT_TURN_FAILED ||
               kind() == REMUDA_EVENT_TURN_INTERRUPTED;
    }
    const remuda_event &raw() const noexcept { return *raw_; }

  private:
    const remuda_event *raw_;
};

/// Events that were pulled; a range. They live as long as it does, also longer than their pool.
class batch {
  public:
    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = event;
        using difference_type = std::ptrdiff_t;
        using pointer = const event *;
        using reference = event;
        iterator() noexcept = default;
        explicit iterator(const remuda_event *const *at) noexcept : at_(at) {}
        event operator*() const noexcept { return event(*at_); }
        iterator &operator++() noexcept {
            ++at_;
            return *this;
        }
        iterator operator++(int) noexcept {
            const iterator before = *this;
            ++at_;
            return before;
        }
        bool operator==(const iterator &other) const noexcept { return at_ == other.at_; }
        bool operator!=(const iterator &other) const noexcept { return at_ != other.at_; }

      private:
        const remuda_event *const *at_ = nullptr;
    };

    batch() = default;
    explicit batch(std::size_t capacity) : events_(capacity) {}
    batch(batch &&other) noexcept
        : events_(std::move(other.events_)), count_(std::exchange(other.count_, 0)),
          closed_(other.closed_) {}
    batch &operator=(batch &&other) noexcept {
        batch taken(std::move(other));
        std::swap(events_, taken.events_);
        std::swap(count_, taken.count_);
        std::swap(closed_, taken.closed_);
        return *this;
    }
    batch(const batch &) = delete;
    batch &operator=(const batch &) = delete;
    ~batch() { remuda_events_release(events_.data(), count_); }

    iterator begin() const noexcept { return iterator(events_.data()); }
    iterator end() const noexcept { return iterator(events_.data() + count_); }
    std::size_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    /// Whether no event can come any more.
    bool closed() const noexcept { return closed_; }

  private:
    friend class pool;
    friend class session;
    std::vector<const remuda_event *> events_;
    std::size_t count_ = 0;
    bool closed_ = false;
};

/// What a pool is. Zero and empty mean the default.
struct pool_options {
    std::uint32_t max_warm = 0;
    std::uint32_t max_processes = 0;
    std::chrono::milliseconds idle_timeout{0};
    /// All other options: `PoolOptions` in remuda-options.schema.json.
    std::string json;
};

/// What a session is. Empty means the default.
struct session_options {
    std::string provider;
    std::string cwd;
    std::string program;
    std::string model;
    std::string resume;
    /// All other options: `SessionOptions` in remuda-options.schema.json.
    std::string json;
    /// Yours, in every event of the session.
    void *data = nullptr;
};

/// A message with all that can go with it.
struct message {
    std::string text;
    std::uint64_t tag = 0;
    remuda_on_busy on_busy = REMUDA_ON_BUSY_REJECT;
    /// Attachments, output schema, budget: `MessageOptions` in remuda-options.schema.json.
    std::string json;
};

/// A turn that was accepted. Dropping it changes nothing: its events and its end come anyway.
class turn {
  public:
    turn() noexcept = default;
    turn(remuda_pool *pool, remuda_session session, remuda_turn id) noexcept
        : pool_(pool), session_(session), id_(id) {}
    turn(turn &&other) noexcept
        : pool_(other.pool_), session_(other.session_), id_(std::exchange(other.id_, 0)) {}
    turn &operator=(turn &&other) noexcept {
        pool_ = other.pool_;
        session_ = other.session_;
        id_ = std::exchange(other.id_, 0);
        return *this;
    }
    turn(const turn &) = delete;
    turn &operator=(const turn &) = delete;

    remuda_turn id() const noexcept { return id_; }
    explicit operator bool() const noexcept { return id_ != 0; }

    /// Answered by a `CALL_DONE` with the tag.
    void interrupt(std::uint32_t flags = 0, std::uint64_t tag = 0, errors on_error = {}) const {
        on_error.check([&](remuda_error **err) {
            return remuda_session_interrupt(pool_, session_, id_, flags, tag, err);
        });
    }
    /// Takes it out of the queue.
    void cancel(errors on_error = {}) const {
        on_error.check(
            [&](remuda_error **err) { return remuda_session_cancel(pool_, session_, id_, err); });
    }

  private:
    remuda_pool *pool_ = nullptr;
    remuda_session session_ = 0;
    remuda_turn id_ = 0;
};

/// Keeps a session's process from eviction as long as it lives.
class hold {
  public:
    hold() noexcept = default;
    hold(remuda_pool *pool, remuda_session session) noexcept : pool_(pool), session_(session) {}
    hold(hold &&other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), session_(other.session_) {}
    hold &operator=(hold &&other) noexcept {
        hold taken(std::move(other));
        std::swap(pool_, taken.pool_);
        std::swap(session_, taken.session_);
        return *this;
    }
    hold(const hold &) = delete;
    hold &operator=(const hold &) = delete;
    ~hold() {
        if (pool_ != nullptr) {
            remuda_session_unhold(pool_, session_, nullptr);
        }
    }

  private:
    remuda_pool *pool_ = nullptr;
    remuda_session session_ = 0;
};

/// What became of a message.
struct sent {
    /// `REMUDA_SENT_…`; 0 when it was refused.
    remuda_sent_state state = 0;
    /// Its turn, or the one that it joined. Empty while that is open.
    remuda::turn turn;
    /// How many wait before it.
    std::uint64_t position = 0;
};

/// One conversation with an agent. It is closed when the value goes; its last events come all the same.
class session {
  public:
    session() noexcept = default;
    session(remuda_pool *pool, remuda_session id) noexcept : pool_(pool), id_(id) {}
    session(session &&other) noexcept : pool_(other.pool_), id_(std::exchange(other.id_, 0)) {}
    session &operator=(session &&other) noexcept {
        session taken(std::move(other));
        std::swap(pool_, taken.pool_);
        std::swap(id_, taken.id_);
        return *this;
    }
    session(const session &) = delete;
    session &operator=(const session &) = delete;
    ~session() {
        if (id_ != 0) {
            remuda_session_close(pool_, id_, nullptr);
        }
    }

    remuda_session id() const noexcept { return id_; }
    explicit operator bool() const noexcept { return id_ != 0; }
    /// Leaves the session open when the value goes.
    remuda_session release() noexcept { return std::exchange(id_, 0); }

    turn send(std::string_view text, std::uint64_t tag = 0, errors on_error = {}) const {
        remuda_turn id = 0;
        on_error.check([&](remuda_error **err) {
            return remuda_session_send(pool_, id_, text.data(), text.size(), tag, &id, err);
        });
        return turn(pool_, id_, id);
    }

    /// `send({"text"})`, which could be a text or a message, is a text.
    turn send(std::initializer_list<const char *> text, std::uint64_t tag = 0,
              errors on_error = {}) const {
        return send(text.size() == 1 ? std::string_view(*text.begin()) : std::string_view(), tag,
                    on_error);
    }

    /// With `REMUDA_ON_BUSY_STEER` the answer is a `CALL_DONE` with the message's tag.
    sent send(const message &message, errors on_error = {}) const {
        const remuda_message raw = raw_message(message);
        remuda_sent became;
        remuda_sent_init(&became, sizeof became);
        on_error.check([&](remuda_error **err) {
            return remuda_session_send_message(pool_, id_, &raw, &became, err);
        });
        return {became.state, turn(pool_, id_, became.turn), became.position};
    }

    /// Puts another message in the place of a waiting one.
    void edit(remuda_turn turn, const message &message, errors on_error = {}) const {
        const remuda_message raw = raw_message(message);
        on_error.check([&](remuda_error **err) {
            return remuda_session_edit(pool_, id_, turn, &raw, err);
        });
    }

    /// Each of these is answered by a `CALL_DONE` with the tag.
    void answer(remuda_request request, const std::string &json, std::uint64_t tag = 0,
                errors on_error = {}) const {
        on_error.check([&](remuda_error **err) {
            return remuda_session_answer(pool_, id_, request, detail::whole(json), tag, err);
        });
    }
    void change(const std::string &json, std::uint64_t tag = 0, errors on_error = {}) const {
        on_error.check([&](remuda_error **err) {
            return remuda_session_change(pool_, id_, detail::whole(json), tag, err);
        });
    }
    void operate(const std::string &json, std::uint64_t tag = 0, errors on_error = {}) const {
        on_error.check([&](remuda_error **err) {
            return remuda_session_operate(pool_, id_, detail::whole(json), tag, err);
        });
    }

    remuda::hold hold(errors on_error = {}) const {
        const bool held = on_error.check(
            [&](remuda_error **err) { return remuda_session_hold(pool_, id_, err); });
        return held ? remuda::hold(pool_, id_) : remuda::hold();
    }

    std::string snapshot(errors on_error = {}) const {
        return json(remuda_session_snapshot, on_error);
    }
    std::string options(errors on_error = {}) const {
        return json(remuda_session_options, on_error);
    }

    /// Events again, from a `seq` on, as far as the log has them.
    batch replay(std::uint64_t from_seq, std::size_t most = 256, errors on_error = {}) const {
        batch events(most);
        on_error.check([&](remuda_error **err) {
            return remuda_session_replay(pool_, id_, from_seq, events.events_.data(), most,
                                         &events.count_, err);
        });
        return events;
    }

    void close(errors on_error = {}) const {
        on_error.check([&](remuda_error **err) { return remuda_session_close(pool_, id_, err); });
    }

  private:
    static remuda_message raw_message(const message &message) noexcept {
        remuda_message raw;
        remuda_message_init(&raw, sizeof raw);
        raw.text = message.text.data();
        raw.text_len = message.text.size();
        raw.tag = message.tag;
        raw.on_busy = message.on_busy;
        raw.options_json = detail::or_null(message.json);
        return raw;
    }

    template <class Query> std::string json(Query query, errors on_error) const {
        char *text = nullptr;
        std::size_t len = 0;
        on_error.check([&](remuda_error **err) { return query(pool_, id_, &text, &len, err); });
        return detail::taken(text, len);
    }

    remuda_pool *pool_ = nullptr;
    remuda_session id_ = 0;
};

/// A bounded herd of warm agent processes, and their sessions.
class pool {
  public:
    using on_event = std::function<void(const event &)>;
    using on_exception = std::function<void(std::exception_ptr)>;

    pool() noexcept = default;

    /// A pool whose events are pulled.
    explicit pool(const pool_options &options, errors on_error = {}) { make(options, nullptr, on_error); }

    /// A pool that calls for every event, on one thread of the library. An exception of the callback stops there: it is
    /// handed to `failed`, if there is one, and the next event comes. Without a callback the events are pulled.
    pool(const pool_options &options, on_event called, on_exception failed = {}, errors on_error = {}) {
        make(options, called ? new callback{std::move(called), std::move(failed)} : nullptr, on_error);
    }

    pool(pool &&other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
    pool &operator=(pool &&other) noexcept {
        pool taken(std::move(other));
        std::swap(raw_, taken.raw_);
        return *this;
    }
    pool(const pool &) = delete;
    pool &operator=(const pool &) = delete;
    /// Ends everything, without waiting for the agents. In a callback of the pool itself it does not wait for that either.
    ~pool() { remuda_pool_free(raw_); }

    remuda_pool *raw() const noexcept { return raw_; }
    explicit operator bool() const noexcept { return raw_ != nullptr; }

    session open(const session_options &options, errors on_error = {}) const {
        remuda_session_config config;
        remuda_session id = 0;
        remuda_session_config_init(&config, sizeof config);
        config.session_data = options.data;
        config.provider = detail::or_null(options.provider);
        config.cwd = detail::or_null(options.cwd);
        config.program = detail::or_null(options.program);
        config.model = detail::or_null(options.model);
        config.resume = detail::or_null(options.resume);
        config.options_json = detail::or_null(options.json);
        on_error.check(
            [&](remuda_error **err) { return remuda_session_open(raw_, &config, &id, err); });
        return session(raw_, id);
    }

    /// Closes every session and ends every process; the report is JSON.
    template <class Rep, class Period>
    std::string shutdown(std::chrono::duration<Rep, Period> deadline, errors on_error = {}) const {
        if (deadline.count() < 0) {
            on_error.refuse("deadline: it is negative");
            return {};
        }
        char *report = nullptr;
        std::size_t len = 0;
        on_error.check([&](remuda_error **err) {
            return remuda_pool_shutdown(raw_, detail::milliseconds(deadline), &report, &len, err);
        });
        return detail::taken(report, len);
    }

    remuda_pool_stats stats(errors on_error = {}) const {
        remuda_pool_stats stats;
        remuda_pool_stats_init(&stats, sizeof stats);
        on_error.check(
            [&](remuda_error **err) { return remuda_pool_get_stats(raw_, &stats, err); });
        return stats;
    }

    std::string options(errors on_error = {}) const {
        char *text = nullptr;
        std::size_t len = 0;
        on_error.check(
            [&](remuda_error **err) { return remuda_pool_options(raw_, &text, &len, err); });
        return detail::taken(text, len);
    }

    /// Waits for events without end; `closed()` of the batch when none can come any more.
    batch next_events(std::size_t most = 256, errors on_error = {}) const {
        return pull(most, REMUDA_FOREVER, on_error);
    }
    /// Waits for events for some time: an empty batch when none came.
    template <class Rep, class Period>
    batch next_events(std::chrono::duration<Rep, Period> timeout, std::size_t most = 256,
                      errors on_error = {}) const {
        if (timeout.count() < 0) {
            on_error.refuse("timeout: it is negative");
            return {};
        }
        return pull(most, detail::milliseconds(timeout), on_error);
    }

    /// A descriptor that is readable while events wait. Only to be polled.
    std::int32_t wake_fd(errors on_error = {}) const {
        std::int32_t fd = -1;
        on_error.check([&](remuda_error **err) { return remuda_pool_wake_fd(raw_, &fd, err); });
        return fd;
    }

  private:
    struct callback {
        on_event called;
        on_exception failed;
    };

    static void call(const remuda_event *raw, void *user_data) noexcept {
        const callback &host = *static_cast<callback *>(user_data);
        REMUDA_TRY {
            host.called(event(raw));
        }
        REMUDA_CATCH_ALL {
            tell(host, std::current_exception());
        }
    }
    static void tell(const callback &host, std::exception_ptr why) noexcept {
        REMUDA_TRY {
            if (host.failed) {
                host.failed(std::move(why));
            }
        }
        REMUDA_CATCH_ALL {
            // It had its say.
        }
    }
    static void destroy(void *user_data) noexcept { delete static_cast<callback *>(user_data); }

    void make(const pool_options &options, callback *host, errors on_error) {
        remuda_pool_config config;
        remuda_pool_config_init(&config, sizeof config);
        if (host != nullptr) {
            config.on_event = call;
            config.user_data = host;
            config.destroy = destroy;
        }
        config.max_warm = options.max_warm;
        config.max_processes = options.max_processes;
        config.idle_timeout_ms = static_cast<std::uint64_t>(options.idle_timeout.count());
        config.options_json = detail::or_null(options.json);
        if (options.idle_timeout.count() < 0) {
            destroy(host);
            return on_error.refuse("idle_timeout: it is negative");
        }
        on_error.check([&](remuda_error **err) { return remuda_pool_new(&config, &raw_, err); });
    }

    batch pull(std::size_t most, std::uint32_t timeout_ms, errors on_error) const {
        batch events(most);
        on_error.check([&](remuda_error **err) {
            const remuda_status status = remuda_pool_next_events(
                raw_, events.events_.data(), most, timeout_ms, &events.count_, err);
            events.closed_ = status == REMUDA_STATUS_CLOSED;
            if (events.closed_) {
                remuda_error_free(std::exchange(*err, nullptr));
                return static_cast<remuda_status>(REMUDA_STATUS_OK);
            }
            return status;
        });
        return events;
    }

    remuda_pool *raw_ = nullptr;
};

/// What a provider's agent can do, as JSON; of all providers without a name.
inline std::string capabilities(const std::string &provider = {}, errors on_error = {}) {
    char *text = nullptr;
    std::size_t len = 0;
    on_error.check([&](remuda_error **err) {
        return remuda_capabilities(detail::or_null(provider), &text, &len, err);
    });
    return detail::taken(text, len);
}

/// What is on this machine, as JSON: agents, their versions and logins, what ends processes. Runs each program for its version, no
/// longer than the timeout; with 0, none.
template <class Rep, class Period>
std::string doctor(std::chrono::duration<Rep, Period> timeout, errors on_error = {}) {
    if (timeout.count() < 0) {
        on_error.refuse("timeout: it is negative");
        return {};
    }
    char *text = nullptr;
    std::size_t len = 0;
    on_error.check([&](remuda_error **err) {
        return remuda_doctor(detail::milliseconds(timeout), &text, &len, err);
    });
    return detail::taken(text, len);
}

} // namespace remuda

#undef REMUDA_TRY
#undef REMUDA_CATCH_ALL

#endif // REMUDA_HPP
