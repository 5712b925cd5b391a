//! Several sessions in one process: who joins which, what befalls whom, and what ends with what.

use std::sync::Arc;
use std::time::Duration;

use remuda::config::{Downgrade, Sharing, Timeouts};
use remuda::event::{EvictionReason, StopReason};
use remuda::{Body, ErrorKind, Event, EventKind, Pool, PoolBuilder, Session};
use remuda_tests::{Scene, Tape, bounded, count, hanging, isolated_async, stopped};
use rustix::process::{Pid, Signal, kill_process};
use scripted_agent::{Action, InterruptMode, Script, Trigger};

/// Runs a scenario once for each protocol in which one process serves many sessions.
fn each_sharer(scenario: impl AsyncFn(&'static str)) {
    isolated_async(async || {
        for protocol in ["codex", "acp"] {
            bounded(protocol, scenario(protocol)).await;
        }
    });
}

const SECOND: Duration = Duration::from_secs(1);

fn shared() -> PoolBuilder {
    Pool::builder().sharing(Sharing::Shared)
}

/// The process that the session was in last: its number in the system, and whether it is shared.
async fn process(session: &Session) -> u32 {
    let mut tape = Tape::of(session);
    tape.until_kind(EventKind::ProcessStarted).await;
    tape.catch_up();
    pids(tape.seen()).pop().expect("it has one")
}

fn pids(events: &[Arc<Event>]) -> Vec<u32> {
    let started = events.iter().filter_map(|event| {
        if let Body::ProcessStarted { pid, shared, .. } = event.body {
            return shared.then_some(pid);
        }
        None
    });
    started.collect()
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a pid"), Signal::KILL).expect("it runs");
}

async fn interrupted(turn: remuda::Turn) {
    turn.interrupt().await.expect("a receipt");
    let end = turn.result().await.expect_err("it was interrupted");
    assert_eq!(end.kind(), None, "{end:?}");
}

#[test]
fn twenty_sessions_in_one_process_run_their_turns_at_the_same_time() {
    each_sharer(async |protocol| {
        let scene = Scene::new(protocol, shared().max_warm(1));
        let sessions: Vec<_> = (0..20).map(|_| scene.open()).collect();
        let tapes: Vec<_> = sessions.iter().map(Tape::of).collect();
        let named = sessions.iter().enumerate();
        let named: Vec<_> = named
            .map(|(n, session)| session.send(format!("the word is {n}")).expect("accepted"))
            .collect();
        for turn in named {
            turn.result().await.expect("an answer");
        }
        let mut running = Vec::new();
        for session in &sessions {
            running.push(hanging(session).await);
        }
        let stats = scene.pool.stats();
        assert_eq!((stats.processes, stats.warm, stats.idle), (1, 1, 0));
        for turn in running {
            interrupted(turn).await;
        }
        for (n, session) in sessions.iter().enumerate() {
            let recalled = session.ask("[[recall]]").await.expect("an answer");
            assert!(recalled.text.starts_with(&format!("the word is {n}\n")));
        }
        scene.stats_become("it is idle", |s| s.idle == 1).await;
        assert_eq!(scene.pool.stats().processes_started, 1);
        drop(sessions);
        let mut all = Vec::new();
        for tape in tapes {
            let events = tape.whole().await;
            assert_eq!(count(&events, EventKind::ProcessStarted), 1);
            let out = |e: &Arc<Event>| matches!(e.body, Body::ProcessStopped { runs_on: true, .. });
            assert!(events.iter().any(out), "the process went on for the others");
            all.extend(pids(&events));
        }
        all.dedup();
        assert_eq!(all.len(), 1, "one process: {all:?}");
        scene.end().await;
    });
}

#[test]
fn a_killed_process_costs_each_running_turn_one_failed_end_and_no_conversation() {
    each_sharer(async |protocol| {
        for downgrade in [Downgrade::Never, Downgrade::Sticky] {
            let scene = Scene::new(protocol, shared().downgrade(downgrade));
            let sessions: Vec<_> = (0..6).map(|_| scene.open()).collect();
            let tapes: Vec<_> = sessions.iter().map(Tape::of).collect();
            for (n, session) in sessions.iter().enumerate() {
                let answer = session.ask(format!("the word is {n}")).await;
                answer.expect("an answer");
            }
            let mut running = Vec::new();
            for session in &sessions[..3] {
                running.push(hanging(session).await);
            }
            kill(process(&sessions[0]).await);
            for turn in running {
                let failure = turn.result().await.expect_err("its process is gone");
                assert_eq!(failure.kind(), Some(ErrorKind::ProcessExit));
            }
            for (n, session) in sessions.iter().enumerate() {
                let recalled = session.ask("[[recall]]").await.expect("an answer");
                let word = format!("the word is {n}");
                assert_eq!(recalled.text.lines().next(), Some(word.as_str()));
            }
            let sticky = downgrade == Downgrade::Sticky;
            let started = scene.pool.stats().processes_started;
            assert_eq!(started, if sticky { 5 } else { 2 });
            drop(sessions);
            for (n, tape) in tapes.into_iter().enumerate() {
                let events = tape.whole().await;
                let ran = n < 3;
                assert_eq!(count(&events, EventKind::TurnFailed), usize::from(ran));
                let downgraded = count(&events, EventKind::Downgraded);
                assert_eq!(downgraded, usize::from(ran && sticky), "only who was hurt");
            }
            scene.end().await;
        }
    });
}

#[test]
fn a_session_whose_agent_is_silent_leaves_and_the_turns_of_the_others_go_on() {
    each_sharer(async |protocol| {
        let scene = Scene::new(protocol, shared());
        let silent = scene.open_with(|options| {
            options.timeouts = Some(Timeouts {
                silence: SECOND,
                ..Timeouts::default()
            });
        });
        let other = scene.open();
        let running = hanging(&other).await;
        let mut tape = Tape::of(&other);
        let lost = hanging(&silent).await;
        assert_eq!(process(&silent).await, process(&other).await);
        let failure = lost.result().await.expect_err("it is silent");
        assert_eq!(failure.kind(), Some(ErrorKind::SilenceTimeout));
        // The agent has let go of the conversation, so that another process goes on with it, while
        // the other turn runs.
        let recalled = silent.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, "[[say here]] [[hang]]");
        assert_eq!(scene.pool.stats().downgraded, 1);
        let joining = scene.open();
        joining.ask("hello").await.expect("an answer");
        assert_ne!(process(&joining).await, process(&other).await, "not joined");

        interrupted(running).await;
        let evicted = tape.until_kind(EventKind::Evicted).await;
        let reason = EvictionReason::ProcessRetired;
        assert_eq!(evicted.body, Body::Evicted { reason });
        other.ask("[[recall]]").await.expect("an answer");
        assert_eq!(process(&joining).await, process(&other).await, "replaced");
        drop((silent, other, joining));
        tape.whole().await;
        scene.end().await;
    });
}

/// Of an agent that ends a turn by an interrupt alone: others do when the conversation is closed.
#[test]
fn a_process_that_does_not_let_go_of_a_conversation_is_ended() {
    isolated_async(async || {
        let deaf = [Action::Interrupts(InterruptMode::Ignore, 0)];
        let script = Script::new().on(Trigger::Start, deaf).in_process(1);
        let scene = Scene::scripted("codex", shared(), &script);
        let silent = scene.open_with(|options| {
            options.timeouts = Some(Timeouts {
                silence: SECOND,
                ..Timeouts::default()
            });
        });
        let other = scene.open();
        let running = hanging(&other).await;
        let lost = hanging(&silent).await;
        lost.result().await.expect_err("it is silent");
        let recalled = silent.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, "[[say here]] [[hang]]");
        let failure = running.result().await.expect_err("its process was ended");
        assert_eq!(failure.kind(), Some(ErrorKind::ProcessExit));
        other.ask("again").await.expect("an answer");
        drop((silent, other));
        scene.end().await;
    });
}

#[test]
fn an_idle_shared_process_makes_way_and_all_its_sessions_go_on_later() {
    each_sharer(async |protocol| {
        let scene = Scene::new(protocol, shared().max_warm(1));
        let sessions: Vec<_> = (0..3).map(|_| scene.open()).collect();
        let tapes: Vec<_> = sessions.iter().map(Tape::of).collect();
        for (n, session) in sessions.iter().enumerate() {
            let asked = session.ask(format!("the word is {n}")).await;
            asked.expect("an answer");
        }
        scene.stats_become("it is idle", |s| s.idle == 1).await;
        let other = scene.open_with(|options| {
            let set = &mut options.environment.set;
            set.insert("OTHER".to_owned(), "login".to_owned());
        });
        other.ask("mine").await.expect("an answer");
        let stats = scene.pool.stats();
        assert_eq!((stats.evicted, stats.spilled, stats.warm), (3, 0, 1));
        for (n, session) in sessions.iter().enumerate() {
            let recalled = session.ask("[[recall]]").await.expect("an answer");
            assert_eq!(recalled.text, format!("the word is {n}"));
        }
        let stats = scene.pool.stats();
        assert_eq!((stats.evicted, stats.processes_started), (4, 3));
        drop((sessions, other));
        for tape in tapes {
            let events = tape.whole().await;
            assert_eq!(stopped(&events), [StopReason::Evicted, StopReason::Closed]);
        }
        scene.end().await;
    });
}

#[test]
fn what_must_not_mix_has_processes_of_its_own_and_what_is_said_per_conversation_has_not() {
    isolated_async(async || {
        let scene = Scene::new("codex", shared().max_warm(20));
        let folder = scene.options().cwd;
        let (place, home) = (folder.join("place"), folder.join("home"));
        for folder in [&place, &home, &place.join("relative")] {
            std::fs::create_dir(folder).expect("a folder");
        }
        let program = folder.join("linked");
        std::os::unix::fs::symlink(scene.options().program.expect("one"), &program)
            .expect("a link");
        let set = |name: &str, value: &str| {
            let (name, value) = (name.to_owned(), value.to_owned());
            move |o: &mut remuda::SessionOptions| drop(o.environment.set.insert(name, value))
        };
        let first = scene.open();
        first.ask("hello").await.expect("an answer");
        let pid = process(&first).await;
        let mut same = vec![
            scene.open(),
            scene.open_with(|o| o.model = Some("other".to_owned())),
            scene.open_with(|o| o.cwd.clone_from(&place)),
            scene.open_with(|o| o.append_system_prompt = Some("briefly".to_owned())),
            scene.open_with(|o| o.read_only = true),
        ];
        for session in &same {
            session.ask("hello").await.expect("an answer");
            assert_eq!(process(session).await, pid);
        }
        let others = [
            scene.open_with(set("CODEX_HOME", &home.display().to_string())),
            scene.open_with(set("OPENAI_API_KEY", "another")),
            scene.open_with(|o| o.extra_args.push("--search".to_owned())),
            // A relative path is another place in another directory.
            scene.open_with(|o| {
                set("CODEX_HOME", "relative")(o);
                o.cwd.clone_from(&place);
            }),
            scene.open_with(set("CODEX_HOME", "relative")),
            scene.open_with(|o| o.program = Some(program)),
        ];
        let mut seen = vec![pid];
        for session in &others {
            session.ask("hello").await.expect("an answer");
            let own = process(session).await;
            assert!(!seen.contains(&own), "{own} of {seen:?}");
            seen.push(own);
        }
        same.push(first);
        drop((same, others));
        scene.end().await;
    });
}

#[test]
fn a_session_may_keep_its_process_for_itself() {
    each_sharer(async |protocol| {
        let scene = Scene::new(protocol, shared());
        let alone = || scene.open_with(|o| o.sharing = Some(Sharing::PerSession));
        let sessions = [scene.open(), alone(), alone()];
        for session in &sessions {
            session.ask("hello").await.expect("an answer");
        }
        assert_eq!(scene.pool.stats().processes, 3);
        drop(sessions);
        scene.end().await;
    });
}

#[test]
fn an_agent_that_cannot_share_has_one_process_per_session() {
    isolated_async(async || {
        let scene = Scene::new("claude", shared());
        let sessions = [scene.open(), scene.open()];
        for session in &sessions {
            session.ask("hello").await.expect("an answer");
        }
        assert_eq!(scene.pool.stats().processes, 2);
        let mut options = scene.options();
        options.sharing = Some(Sharing::Shared);
        let refused = scene.pool.open(options).expect_err("it cannot");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        drop(sessions);
        scene.end().await;
    });
}

#[test]
fn no_more_sessions_are_in_one_process_than_allowed() {
    each_sharer(async |protocol| {
        let scene = Scene::new(protocol, shared().max_sessions_per_process(2));
        let sessions: Vec<_> = (0..5).map(|_| scene.open()).collect();
        let mut running = Vec::new();
        for session in &sessions {
            running.push(hanging(session).await);
        }
        let stats = scene.pool.stats();
        assert_eq!((stats.processes, stats.warm), (3, 3));
        for turn in running {
            interrupted(turn).await;
        }
        drop(sessions);
        scene.end().await;
    });
}

#[test]
fn in_a_full_process_the_session_that_is_idle_longest_makes_way() {
    each_sharer(async |protocol| {
        let pool = shared().max_sessions_per_process(2).max_warm(1);
        let scene = Scene::new(protocol, pool);
        let sessions: Vec<_> = (0..3).map(|_| scene.open()).collect();
        for round in 0..3 {
            for (n, session) in sessions.iter().enumerate() {
                // At first there is nothing to recall, and no answer is a failure to some.
                let recall = if round > 0 { "[[recall]]" } else { "" };
                let asked = session.ask(format!("{round} of {n} {recall}")).await;
                let lines = asked.expect("an answer").text;
                if round == 0 {
                    continue;
                }
                let known = lines.lines().filter(|l| l.contains(&format!("of {n}")));
                assert_eq!(known.count(), round, "{lines:?}");
            }
        }
        let stats = scene.pool.stats();
        assert_eq!((stats.processes_started, stats.spilled), (1, 0));
        assert!(stats.evicted >= 6, "{stats:?}");
        drop(sessions);
        scene.end().await;
    });
}

#[test]
fn a_process_without_sessions_serves_the_next_one_and_ends_after_the_idle_timeout() {
    each_sharer(async |protocol| {
        let idle = Duration::from_millis(400);
        let scene = Scene::new(protocol, shared().idle_timeout(idle));
        for n in 0..3 {
            let session = scene.open();
            session.ask(format!("turn {n}")).await.expect("an answer");
            assert_eq!(session.closed().await, [0; 0]);
        }
        let stats = scene.pool.stats();
        assert_eq!(stats.processes_started, 1, "{stats:?}");
        let gone = |s: remuda::PoolStats| s.processes == 0 && s.warm == 0 && s.idle == 0;
        scene.stats_become("it is gone", gone).await;
        let session = scene.open();
        session.ask("and again").await.expect("an answer");
        assert_eq!(scene.pool.stats().processes_started, 2);
        drop(session);
        scene.end().await;
    });
}

#[test]
fn a_shutdown_ends_a_shared_process_with_all_the_turns_that_run_in_it() {
    each_sharer(async |protocol| {
        let scene = Scene::new(protocol, shared());
        let sessions: Vec<_> = (0..4).map(|_| scene.open()).collect();
        let tapes: Vec<_> = sessions.iter().map(Tape::of).collect();
        let mut running = Vec::new();
        for session in &sessions[..3] {
            running.push(hanging(session).await);
        }
        let report = scene.pool.shutdown(Duration::from_secs(20)).await;
        assert_eq!((report.closed.len(), report.unfinished.len()), (4, 0));
        assert_eq!(report.left, [0; 0]);
        for turn in running {
            let failure = turn.result().await.expect_err("it was closed");
            assert_eq!(failure.kind(), Some(ErrorKind::Closed));
        }
        for tape in tapes {
            tape.whole().await;
        }
        scene.end().await;
    });
}

#[test]
fn a_process_that_ends_by_itself_while_nobody_looks_is_replaced_for_the_next_turn() {
    each_sharer(async |protocol| {
        let scene = Scene::new(protocol, shared());
        let session = scene.open();
        session.ask("the word is wren").await.expect("an answer");
        let pid = process(&session).await;
        assert_eq!(session.closed().await, [0; 0]);
        kill(pid);
        // Before or after the pool has noticed: nobody is downgraded for it.
        let next = scene.open();
        next.ask("hello").await.expect("an answer");
        let stats = scene.pool.stats();
        assert_eq!((stats.downgraded, stats.processes_started), (0, 2));
        drop(next);
        scene.end().await;
    });
}

#[test]
fn a_host_that_is_behind_with_one_session_holds_up_the_others_and_nobody_loses_anything() {
    each_sharer(async |protocol| {
        let scene = Scene::new(protocol, shared().log_bytes(64 << 10));
        let behind = scene.open();
        let other = scene.open();
        behind.ask("one").await.expect("an answer");
        other.ask("two").await.expect("an answer");
        let mut reader = behind.events(behind.snapshot().next_seq);
        let flood = behind.send("[[flood 200000]]").expect("accepted");
        // Until the log is full, it is served.
        let held = 'held: loop {
            let mut turn = other.send("three").expect("accepted");
            loop {
                let next = tokio::time::timeout(3 * SECOND, turn.next()).await;
                let Ok(event) = next else { break 'held turn };
                match event.map(|event| event.kind()) {
                    Some(EventKind::TurnCompleted) => break,
                    Some(kind) => assert_ne!(kind, EventKind::TurnFailed),
                    None => panic!("a turn without an end"),
                }
            }
        };
        assert_eq!(other.snapshot().running, Some(held.id()));
        while !reader.next().await.expect("an event").is_turn_end() {}
        flood.result().await.expect("an answer");
        held.result().await.expect("an answer");
        assert_eq!(scene.pool.stats().downgraded, 0);
        drop((behind, other, reader));
        scene.end().await;
    });
}
