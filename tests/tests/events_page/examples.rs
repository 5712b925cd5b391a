//! When each kind comes, and an example of its members.

/// Name, when it comes, members as JSON without those of the envelope.
pub(crate) const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "session_opened",
        "Once, from `open`. Always `seq` 1.",
        r#"{"provider":"claude"}"#,
    ),
    (
        "session_bound",
        "When the agent names its conversation: in the first turn, and again whenever the name changes.",
        r#"{"provider_session_id":"5f1c6a52-8a3b-4a6e-9a0e-0d5b6f7c8d9e","model":"claude-sonnet-5","resumed":false}"#,
    ),
    (
        "session_closed",
        "Once, when the process and its whole tree are gone, or when it is certain what is left.",
        r#"{"reason":"host","left":[]}"#,
    ),
    (
        "process_started",
        "Each time a process for the session is ready, a one-shot process too.",
        r#"{"process":1,"pid":4711,"version":"2.1.327","mode":"warm","resumed":false,"containment":"guard","shared":false,"start_ms":330}"#,
    ),
    (
        "process_stopped",
        "When its tree is gone, or the session is out of it. It may come after the end of the turn that it served, and for a process that was never ready.",
        r#"{"process":1,"reason":"failed","exit":{"code":null,"signal":9,"out_of_memory":false},"left":[],"runs_on":false}"#,
    ),
    (
        "evicted",
        "Between two turns. `process_stopped` follows; the next turn starts a process and goes on.",
        r#"{"reason":"least_recently_used"}"#,
    ),
    (
        "recycled",
        "Between two turns, before the replaced process is stopped.",
        r#"{"reason":"settings changed"}"#,
    ),
    (
        "downgraded",
        "When a warm process failed its session; once, until `restored`.",
        r#"{"reason":"process_exit","message":"the process was killed by signal 9"}"#,
    ),
    (
        "spilled",
        "Before the process of that turn is started.",
        "{}",
    ),
    (
        "restored",
        "After the turns of a probation, when the pool has `downgrade: probation`.",
        "{}",
    ),
    (
        "settings_changed",
        "When the host changed settings, and it is clear when they hold.",
        r#"{"settings":["model"],"how":"live"}"#,
    ),
    (
        "turn_started",
        "The first event of every turn but those that waited. With `origin` `agent` the agent began it by itself.",
        r#"{"origin":"host","tag":7}"#,
    ),
    (
        "turn_completed",
        "One of the three ends: exactly one of them is the last event of a turn.",
        r#"{"result":{"text":"Done.","stop_reason":"end_turn","usage":{"input_tokens":12,"output_tokens":3,"cache_read_tokens":0,"cache_write_tokens":0,"reasoning_tokens":null},"cost":{"delta_usd":0.01,"total_usd":0.04},"model":"claude-sonnet-5","agent_turns":1,"duration_ms":912,"time_to_first_output_ms":430,"agent_duration_ms":880}}"#,
    ),
    (
        "turn_failed",
        "One of the three ends. `code` says who must act.",
        r#"{"failure":{"code":"process_exit","message":"the process was killed by signal 9","exit":{"code":null,"signal":9,"out_of_memory":false}},"result":{"text":"","stop_reason":null,"usage":null,"cost":null,"model":null,"agent_turns":null,"duration_ms":52,"time_to_first_output_ms":40,"agent_duration_ms":null}}"#,
    ),
    (
        "turn_interrupted",
        "One of the three ends: the host interrupted it.",
        r#"{"result":{"text":"","stop_reason":null,"usage":null,"cost":null,"model":null,"agent_turns":null,"duration_ms":640,"time_to_first_output_ms":75,"agent_duration_ms":null}}"#,
    ),
    (
        "turn_queued",
        "When a message waits. It then begins with `turn_started`, or ends without having begun.",
        r#"{"position":0,"tag":8,"why":"no tool runs that it could follow"}"#,
    ),
    (
        "steered",
        "When the agent took a message into the running turn.",
        r#"{"text":"Use the other branch.","tag":9}"#,
    ),
    (
        "text_delta",
        "As the model writes. For a slow reader several become one.",
        r#"{"text":"Don"}"#,
    ),
    (
        "reasoning_delta",
        "As the model reasons, where the agent shows it.",
        r#"{"text":"Which file?"}"#,
    ),
    (
        "message",
        "When a message is whole. A host that shows deltas replaces them by it.",
        r#"{"text":"Done."}"#,
    ),
    (
        "tool_use",
        "When the agent has decided on a call, before it runs.",
        r#"{"id":"toolu_01","name":"Bash","kind":"shell","title":"ls -a","input":{"command":"ls -a"}}"#,
    ),
    (
        "tool_output_delta",
        "While a tool runs, where the agent shows its output.",
        r#"{"id":"toolu_01","text":"Cargo.toml\n"}"#,
    ),
    (
        "tool_result",
        "When a call ended, also when it was refused.",
        r#"{"id":"toolu_01","is_error":false,"text":"Cargo.toml\nsrc"}"#,
    ),
    (
        "plan",
        "When the agent makes or changes its plan.",
        r#"{"entries":[{"text":"Read the code","status":"completed"},{"text":"Fix it","status":"in_progress"}]}"#,
    ),
    (
        "file_change",
        "When a tool changed files and the agent says which.",
        r#"{"id":"call_2","changes":[{"path":"src/main.rs","kind":"update","diff":"@@ -1 +1 @@\n-a\n+b\n"}]}"#,
    ),
    (
        "usage",
        "When the agent counts, at any time in a turn. The end has the whole count.",
        r#"{"usage":{"input_tokens":12,"output_tokens":3,"cache_read_tokens":0,"cache_write_tokens":0,"reasoning_tokens":null}}"#,
    ),
    (
        "rate_limit",
        "When the agent tells of a limit of the account.",
        r#"{"limit":"five_hour","status":"allowed_warning","used_percent":92.0,"resets_at":1790000000,"raw":{"status":"allowed_warning"}}"#,
    ),
    (
        "context_usage",
        "When the agent tells it.",
        r#"{"used_tokens":18000,"window_tokens":200000}"#,
    ),
    (
        "compaction",
        "When the agent shortens its conversation.",
        r#"{"phase":"completed","tokens_before":180000,"tokens_after":22000}"#,
    ),
    (
        "status",
        "When the agent says it. For people: a host decides nothing by it.",
        r#"{"state":"retrying","message":"the model is overloaded; attempt 2"}"#,
    ),
    (
        "warning",
        "At any time, within a turn or outside.",
        r#"{"code":"line_too_long","message":"a line of 70000000 bytes was skipped"}"#,
    ),
    (
        "request_opened",
        "When the agent waits for an answer. `request_resolved` follows.",
        r#"{"request":3,"kind":"command_approval","tool":"toolu_01","title":"rm -r build","decisions":["allow_once","deny"],"input":{"command":"rm -r build"},"deadline_unix_ms":1795167800000,"raw":{"command":"rm -r build"}}"#,
    ),
    (
        "request_resolved",
        "Exactly once for each `request_opened`.",
        r#"{"request":3,"resolution":"denied","by":"rule","rule":"no rm"}"#,
    ),
    (
        "gap",
        "In the stream of a reader that asked for events which are no longer kept. `seq` is 0.",
        r#"{"first":1,"last":420}"#,
    ),
    (
        "unknown",
        "When an agent says what this version does not know.",
        r#"{"raw":{"type":"brand_new"}}"#,
    ),
];
