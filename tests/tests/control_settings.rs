//! Settings that change while a session is open, operations, and the table that says what an agent
//! can do.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for some kinds of events"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use remuda::config::{McpServer, PermissionMode, Persistent};
use remuda::event::Changed;
use remuda::{
    Attachment, Body, Change, ErrorKind, Event, EventKind, Feature, Message, Operation, Pool,
    Session, Setting, Source, capabilities, capabilities_of,
};
use remuda_tests::{
    PROTOCOLS, Scene, Tape, bounded, can, count, each_protocol, hanging, isolated_async,
    those_that, timeouts,
};
use scripted_agent::{Action, ReplyMode, Script, Trigger};

fn model(name: &str) -> Change {
    Change {
        model: Some(name.to_owned()),
        ..Change::default()
    }
}

fn servers() -> Change {
    let server = McpServer::Stdio {
        command: "true".to_owned(),
        args: Vec::new(),
        env: BTreeMap::new(),
    };
    Change {
        mcp_servers: Some(BTreeMap::from([("docs".to_owned(), server)])),
        ..Change::default()
    }
}

/// Changes settings, and sees that the event says what the caller is told.
async fn changes(session: &Session, tape: &mut Tape, change: Change) -> Changed {
    let settings = change.settings();
    let how = bounded("the change", session.change(change)).await;
    let how = how.expect("it is taken");
    let told = tape.until_kind(EventKind::SettingsChanged).await;
    assert_eq!(told.body, Body::SettingsChanged { settings, how });
    how
}

/// The model that a conversation's process says it has.
fn bound_to(event: &Event) -> Option<String> {
    match &event.body {
        Body::SessionBound { model, .. } => model.clone(),
        _ => None,
    }
}

async fn end(scene: Scene, session: Session, tape: Tape) {
    drop(session);
    bounded("the events", tape.whole()).await;
    scene.end().await;
}

#[test]
fn a_change_is_live_where_the_agent_can_while_it_works_and_while_it_does_not() {
    isolated_async(async || {
        for protocol in those_that(Feature::ChangeModel) {
            let scene = Scene::new(protocol, Pool::builder());
            let session = scene.open();
            let mut tape = Tape::of(&session);
            session.ask("hello").await.expect("an answer");
            let how = changes(&session, &mut tape, model("one")).await;
            assert_eq!(how, Changed::Live);
            let running = hanging(&session).await;
            let how = changes(&session, &mut tape, model("two")).await;
            assert_eq!(how, Changed::Live);
            running.interrupt().await.expect("a receipt");
            running.result().await.expect_err("it was interrupted");
            session.ask("and on").await.expect("an answer");
            assert_eq!(scene.pool.stats().processes_started, 1);
            end(scene, session, tape).await;
        }
    });
}

/// A change that the agents of this protocol take only with a new process.
fn not_live(protocol: &str) -> Change {
    if can(protocol, Feature::ChangeMcpServers) {
        Change {
            effort: Some("high".to_owned()),
            ..Change::default()
        }
    } else {
        servers()
    }
}

/// Whether there is such a change.
fn is_all_live(protocol: &str) -> bool {
    can(protocol, Feature::ChangeMcpServers) && can(protocol, Feature::ChangeEffort)
}

#[test]
fn a_change_that_needs_a_new_process_gets_one_between_two_turns() {
    each_protocol(async |protocol| {
        if is_all_live(protocol) {
            return;
        }
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let mut tape = Tape::of(&session);
        session.ask("hello").await.expect("an answer");
        let how = changes(&session, &mut tape, not_live(protocol)).await;
        assert_eq!(how, Changed::Recycled);
        tape.until_kind(EventKind::Recycled).await;
        let running = hanging(&session).await;
        assert_eq!(scene.pool.stats().processes_started, 2);
        let how = changes(&session, &mut tape, not_live(protocol)).await;
        assert_eq!(how, Changed::AfterTurn);
        running.interrupt().await.expect("a receipt");
        running.result().await.expect_err("it was interrupted");
        tape.until_kind(EventKind::Recycled).await;
        let recalled = session.ask("[[recall]]").await.expect("an answer").text;
        assert!(recalled.contains("hello"), "the conversation goes on");
        assert_eq!(scene.pool.stats().processes_started, 3);
        end(scene, session, tape).await;
    });
}

#[test]
fn a_change_without_a_process_holds_from_the_next_one_on() {
    each_protocol(async |protocol| {
        let pool = Pool::builder().idle_timeout(Duration::from_millis(100));
        let scene = Scene::new(protocol, pool);
        let session = scene.open();
        let mut tape = Tape::of(&session);
        let how = changes(&session, &mut tape, model("first-model")).await;
        assert_eq!(how, Changed::NextProcess);
        session.ask("hello").await.expect("an answer");
        let bound = tape.until_kind(EventKind::SessionBound).await;
        assert_eq!(bound_to(&bound).as_deref(), Some("first-model"));
        tape.until_kind(EventKind::Evicted).await;
        let how = changes(&session, &mut tape, model("second-model")).await;
        assert_eq!(how, Changed::NextProcess);
        session.ask("hello").await.expect("an answer");
        let bound = tape.until_kind(EventKind::SessionBound).await;
        assert_eq!(bound_to(&bound).as_deref(), Some("second-model"));
        end(scene, session, tape).await;
    });
}

#[test]
fn a_change_that_the_agent_never_answers_does_not_wait_for_ever() {
    isolated_async(async || {
        for protocol in those_that(Feature::ChangeModel) {
            let mute = Script::new()
                .on(Trigger::Turn(1), [Action::Replies(ReplyMode::Drop)])
                .in_process(1);
            let scene = Scene::scripted(protocol, Pool::builder(), &mute);
            let session = scene.open_with(|options| {
                let soon = Duration::from_millis(300);
                options.timeouts = Some(timeouts(|t| t.first_sign = soon));
            });
            let mut tape = Tape::of(&session);
            session.ask("hello").await.expect("an answer");
            let how = changes(&session, &mut tape, model("other")).await;
            assert_eq!(how, Changed::Recycled);
            session.ask("and on").await.expect("another process");
            assert_eq!(scene.pool.stats().processes_started, 2);
            end(scene, session, tape).await;
        }
    });
}

#[test]
fn a_change_does_not_wait_for_a_host_that_does_not_read() {
    isolated_async(async || {
        for protocol in those_that(Feature::ChangeModel) {
            let scene = Scene::new(protocol, Pool::builder().log_bytes(64 << 10));
            let session = scene.open_with(|options| {
                let soon = Duration::from_secs(1);
                options.timeouts = Some(timeouts(|t| t.first_sign = soon));
            });
            let mut reader = session.events(1);
            let turn = session.send("[[flood 200000]]").expect("accepted");
            // Nobody reads, so the log fills up and then nothing more comes.
            let mut at = 0;
            while session.snapshot().next_seq != at || at < 6 {
                at = session.snapshot().next_seq;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let how = bounded("the change", session.change(model("other"))).await;
            assert_eq!(how.expect("it is taken"), Changed::AfterTurn);
            let rest = async move { while reader.next().await.is_some() {} };
            let rest = tokio::spawn(rest);
            turn.result().await.expect("a good end");
            session.ask("and on").await.expect("another process");
            drop(session);
            bounded("the events", rest).await.expect("no panic");
            scene.end().await;
        }
    });
}

#[test]
fn a_change_that_the_agent_refuses_is_an_error_in_its_words_and_changes_nothing() {
    isolated_async(async || {
        for protocol in those_that(Feature::ChangeModel) {
            let strict = Script::new().on(Trigger::Start, [Action::Replies(ReplyMode::Refuse)]);
            let pool = Pool::builder().idle_timeout(Duration::from_millis(100));
            let scene = Scene::scripted(protocol, pool, &strict);
            let session = scene.open_with(|options| options.model = Some("first".to_owned()));
            let mut tape = Tape::of(&session);
            session.ask("hello").await.expect("an answer");
            tape.until_kind(EventKind::SessionBound).await;
            let refused = bounded("the change", session.change(model("other"))).await;
            let refused = refused.expect_err("the agent refuses");
            assert_eq!(refused.kind(), ErrorKind::AgentError);
            assert_eq!(refused.message(), "these settings are not allowed");
            tape.until_kind(EventKind::Evicted).await;
            session.ask("and on").await.expect("an answer");
            let bound = tape.until_kind(EventKind::SessionBound).await;
            assert_eq!(bound_to(&bound).as_deref(), Some("first"));
            drop(session);
            let events = bounded("the events", tape.whole()).await;
            assert_eq!(count(&events, EventKind::SettingsChanged), 0);
            assert_eq!(count(&events, EventKind::Recycled), 0);
            scene.end().await;
        }
    });
}

#[test]
fn a_change_to_what_cannot_be_is_refused_and_changes_nothing() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("hello").await.expect("an answer");
        let before = session.snapshot();
        for nothing in [model(""), Change::default()] {
            let refused = session.change(nothing).await.expect_err("it is empty");
            assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
        }
        assert_eq!(session.snapshot(), before);
        session.close();
        let closed = session.change(model("x")).await.expect_err("it is closed");
        assert_eq!(closed.kind(), ErrorKind::Closed);
        end(scene, session, tape).await;
    });
}

#[test]
fn a_limit_that_the_agent_does_not_have_is_refused_and_not_a_reason_for_a_new_process() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let mut tape = Tape::of(&session);
        session.ask("hello").await.expect("an answer");
        let change = Change {
            thinking_budget: Some(2000),
            ..Change::default()
        };
        if can(protocol, Feature::ChangeThinkingBudget) {
            assert_eq!(changes(&session, &mut tape, change).await, Changed::Live);
        } else {
            let refused = session.change(change).await.expect_err("there is none");
            assert_eq!(refused.kind(), ErrorKind::Unsupported);
            assert!(refused.message().contains("thinking_budget"), "{refused}");
        }
        session.ask("and on").await.expect("an answer");
        assert_eq!(scene.pool.stats().processes_started, 1);
        end(scene, session, tape).await;
    });
}

#[test]
fn an_operation_runs_in_the_warm_process_or_starts_one() {
    isolated_async(async || {
        for protocol in those_that(Feature::ListModels) {
            let pool = Pool::builder().idle_timeout(Duration::from_millis(100));
            let scene = Scene::new(protocol, pool);
            let session = scene.open();
            let mut tape = Tape::of(&session);
            let list = bounded("models", session.operate(Operation::ListModels {})).await;
            let list = list.expect("it starts a process");
            assert!(list.get().contains("models"), "{list:?}");
            session.ask("hello").await.expect("an answer");
            tape.until_kind(EventKind::Evicted).await;
            let again = bounded("models", session.operate(Operation::ListModels {})).await;
            assert_eq!(again.expect("it starts another"), list);
            let running = hanging(&session).await;
            let busy = bounded("models", session.operate(Operation::ListModels {})).await;
            assert_eq!(busy.expect("a turn does not hinder it"), list);
            assert_eq!(scene.pool.stats().processes_started, 2);
            running.interrupt().await.expect("a receipt");
            running.result().await.expect_err("it was interrupted");
            session.close();
            let closed = session.operate(Operation::ListModels {}).await;
            assert_eq!(closed.map_err(|e| e.kind()), Err(ErrorKind::Closed));
            end(scene, session, tape).await;
        }
    });
}

#[test]
fn an_operation_that_the_agent_never_answers_fails() {
    isolated_async(async || {
        for protocol in those_that(Feature::McpStatus) {
            let mute = Script::new().on(Trigger::Turn(1), [Action::Replies(ReplyMode::Drop)]);
            let scene = Scene::scripted(protocol, Pool::builder(), &mute);
            let session = scene.open_with(|options| {
                let soon = Duration::from_millis(300);
                options.timeouts = Some(timeouts(|t| t.first_output = soon));
            });
            let tape = Tape::of(&session);
            session.ask("hello").await.expect("an answer");
            let mute = bounded("servers", session.operate(Operation::McpStatus {})).await;
            let kind = mute.expect_err("nothing came").kind();
            assert_eq!(kind, ErrorKind::FirstOutputTimeout);
            end(scene, session, tape).await;
        }
    });
}

#[test]
fn an_operation_whose_process_dies_fails_and_the_session_goes_on() {
    isolated_async(async || {
        for protocol in those_that(Feature::McpStatus) {
            let mute = Script::new()
                .on(Trigger::Turn(1), [Action::Replies(ReplyMode::Drop)])
                .in_process(1);
            let scene = Scene::scripted(protocol, Pool::builder(), &mute);
            let session = scene.open();
            let mut tape = Tape::of(&session);
            session.ask("hello").await.expect("an answer");
            let started = tape.until_kind(EventKind::ProcessStarted).await;
            let Body::ProcessStarted { pid, .. } = started.body else {
                panic!("{started:?}")
            };
            let operation = session.operate(Operation::McpStatus {});
            let death = async { remuda_tests::kill(pid) };
            let (lost, ()) = bounded("both", async { tokio::join!(operation, death) }).await;
            assert_eq!(lost.map_err(|e| e.kind()), Err(ErrorKind::ProcessExit));
            session.ask("and on").await.expect("another process");
            end(scene, session, tape).await;
        }
    });
}

/// One of each kind.
fn operations() -> Vec<Operation> {
    let before = "nothing".to_owned();
    vec![
        Operation::ListModels {},
        Operation::ListCommands {},
        Operation::McpStatus {},
        Operation::ContextUsage {},
        Operation::Rewind { before },
        Operation::Fork {},
        Operation::ListTasks {},
        Operation::StopTasks { task: None },
        Operation::Compact {},
    ]
}

#[test]
fn an_agent_does_the_operations_that_its_table_says_and_no_others() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("hello").await.expect("an answer");
        for operation in operations() {
            let feature = Feature::from(operation.kind());
            let outcome = bounded("an operation", session.operate(operation)).await;
            let unsupported = outcome
                .as_ref()
                .is_err_and(|e| e.kind() == ErrorKind::Unsupported);
            assert_eq!(
                unsupported,
                !can(protocol, feature),
                "{feature:?}: {outcome:?}"
            );
        }
        end(scene, session, tape).await;
    });
}

#[test]
fn a_process_of_one_turn_does_no_operation_that_its_table_does_not_say() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open_with(|options| options.persistent = Persistent::Never);
        let tape = Tape::of(&session);
        let table = capabilities_of(protocol).expect("a provider");
        for operation in operations() {
            if !table[&Feature::from(operation.kind())].one_shot {
                let outcome = session.operate(operation).await;
                assert_eq!(outcome.map_err(|e| e.kind()), Err(ErrorKind::Unsupported));
            }
        }
        end(scene, session, tape).await;
    });
}

#[test]
fn an_agent_takes_live_the_settings_that_its_table_says_and_no_others() {
    each_protocol(async |protocol| {
        let each = [
            (Setting::Model, model("other")),
            (
                Setting::Effort,
                Change {
                    effort: Some("high".to_owned()),
                    ..Change::default()
                },
            ),
            (
                Setting::PermissionMode,
                Change {
                    permission_mode: Some(PermissionMode::AcceptEdits),
                    ..Change::default()
                },
            ),
            (Setting::McpServers, servers()),
        ];
        for (setting, change) in each {
            let scene = Scene::new(protocol, Pool::builder());
            let session = scene.open();
            let mut tape = Tape::of(&session);
            session.ask("hello").await.expect("an answer");
            let how = changes(&session, &mut tape, change).await;
            let wanted = if can(protocol, setting.into()) {
                Changed::Live
            } else {
                Changed::Recycled
            };
            assert_eq!(how, wanted, "{setting:?}");
            session.ask("and on").await.expect("an answer");
            end(scene, session, tape).await;
        }
    });
}

#[test]
fn what_an_agent_does_not_take_is_refused_before_the_turn() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let before = session.snapshot();
        let attached = [
            (Feature::Images, "image/png"),
            (Feature::Documents, "application/pdf"),
            (Feature::TextFiles, "text/plain"),
        ];
        for (feature, kind) in attached {
            if can(protocol, feature) {
                continue;
            }
            let attachment = Attachment {
                media_type: Some(kind.to_owned()),
                name: None,
                source: Source::Bytes((*b"x").into()),
            };
            let message = Message {
                text: "look".to_owned(),
                attachments: vec![attachment],
                ..Message::default()
            };
            let refused = session.send(message).expect_err("it is not taken");
            assert_eq!(refused.kind(), ErrorKind::Unsupported, "{feature:?}");
        }
        assert_eq!(session.snapshot(), before);
        drop(session);
        scene.end().await;
    });
}

#[test]
fn the_table_has_a_line_for_every_provider_and_feature() {
    let tables = capabilities();
    for protocol in PROTOCOLS {
        let table = &tables[protocol];
        assert_eq!(table.len(), Feature::ALL.len());
        assert_eq!(*table, capabilities_of(protocol).expect("a provider"));
    }
    let unknown = capabilities_of("nobody").expect_err("there is none");
    assert_eq!(unknown.kind(), ErrorKind::InvalidArgument);
}
