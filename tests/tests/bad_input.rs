//! What hosts may do wrong, and what they may ask of a session at the edge.

use std::time::Duration;

use remuda::config::{Downgrade, Environment, from_json};
use remuda::{AskError, Error, ErrorKind, Pool, PoolOptions, Receipt, Session, SessionOptions};
use remuda_tests::{Lane, Scripted, Stage, each, isolated, isolated_async, script, soon};
use scripted_agent::{Action, Script, Trigger};

/// Why the pool refuses a session.
fn refused(pool: &Pool, options: SessionOptions) -> Error {
    let refused = pool.open(options);
    refused.map(|_| ()).expect_err("the session is refused")
}

#[test]
fn a_program_that_is_not_there_is_refused_with_the_places_looked_at() {
    isolated(|| {
        let (pool, agents) = (Pool::new().expect("a pool"), Scripted::claude());
        let folder = agents.folder().display().to_string();
        let mut options = agents.options();
        options.program = Some("no-such-agent".into());
        let path = [folder.clone(), "/nowhere".to_owned()].join(":");
        options.environment.set.insert("PATH".into(), path);
        let error = refused(&pool, options);
        assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
        for part in ["no-such-agent", &folder, "/nowhere"] {
            assert!(error.message().contains(part), "{error}");
        }
        let mut options = agents.options();
        options.program = Some(agents.folder().join("absent"));
        let error = refused(&pool, options);
        assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
        assert!(error.message().contains("absent"), "{error}");
    });
}

#[test]
fn a_program_that_cannot_run_is_refused_or_fails_the_turn() {
    isolated_async(|| async {
        use std::os::unix::fs::PermissionsExt;
        let (pool, agents) = (Pool::new().expect("a pool"), Scripted::claude());
        let file = agents.folder().join("agent");
        std::fs::write(&file, "\x7fELF but not really").expect("it is written");
        let mut options = agents.options();
        options.program = Some(file.clone());
        let error = refused(&pool, options.clone());
        assert_eq!(error.kind(), ErrorKind::ProgramNotFound, "{error}");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&file, executable).expect("it is ours");
        let session = pool.open(options).expect("it looks executable");
        let error = session.ask("hello").await.expect_err("it cannot run");
        assert_eq!(error.kind(), Some(ErrorKind::SpawnFailed), "{error}");
        assert!(session.closed().await.is_empty());
    });
}

#[test]
fn a_program_that_goes_away_later_fails_the_turn() {
    isolated_async(|| async {
        let (pool, agents) = (Pool::new().expect("a pool"), Scripted::claude());
        let file = agents.folder().join("agent");
        std::os::unix::fs::symlink(remuda_tests::scripted_agent(), &file).expect("a link");
        let mut options = agents.options();
        options.program = Some(file.clone());
        let session = pool.open(options).expect("it is there");
        std::fs::remove_file(&file).expect("it is ours");
        let error = session.ask("hello").await.expect_err("it is gone");
        assert_eq!(error.kind(), Some(ErrorKind::ProgramNotFound), "{error}");
        assert!(session.closed().await.is_empty());
    });
}

#[test]
fn a_cwd_that_is_no_directory_is_refused_by_name() {
    isolated(|| {
        let (pool, agents) = (Pool::new().expect("a pool"), Scripted::claude());
        let file = agents.folder().join("file");
        std::fs::write(&file, "").expect("it is written");
        for cwd in [agents.folder().join("absent"), file] {
            let mut options = agents.options();
            options.cwd.clone_from(&cwd);
            let error = refused(&pool, options);
            assert_eq!(error.kind(), ErrorKind::CwdUnusable);
            assert!(error.message().contains(&*cwd.to_string_lossy()), "{error}");
        }
    });
}

#[test]
fn a_cwd_that_goes_away_fails_the_turn_and_not_the_session() {
    each(&[Lane::ClaudeOneShot, Lane::CodexOneShot], async |lane| {
        let place = tempfile::tempdir().expect("a folder");
        let cwd = place.path().join("work");
        std::fs::create_dir(&cwd).expect("it is made");
        let pool = PoolOptions::default();
        let mut stage = Stage::open(lane, &Script::new(), pool, |options| {
            options.cwd.clone_from(&cwd);
        });
        stage.ask("first").await.completed();
        std::fs::remove_dir(&cwd).expect("it is ours");
        let told = stage.ask("second").await;
        let failure = told.failed(ErrorKind::CwdUnusable);
        assert!(failure.message.contains("work"), "{failure:?}");
        std::fs::create_dir(&cwd).expect("it is made");
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn options_that_cannot_be_are_refused_by_name() {
    isolated(|| {
        let (pool, agents) = (Pool::new().expect("a pool"), Scripted::claude());
        let with = |set: &dyn Fn(&mut SessionOptions)| {
            let mut options = agents.options();
            set(&mut options);
            let error = refused(&pool, options);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
            error.message().to_owned()
        };
        let text = |text: &str| Some(text.to_owned());
        assert!(with(&|o| o.provider = "nobody".into()).contains("claude, codex"));
        assert!(with(&|o| o.provider.clear()).contains("provider"));
        assert!(with(&|o| o.cwd = "".into()).contains("cwd"));
        assert!(with(&|o| o.model = text("")).contains("model"));
        assert!(with(&|o| o.resume = text("a\0b")).contains("resume"));
        assert!(with(&|o| o.extra_args = vec!["\0".into()]).contains("extra_args"));
        let bad = |o: &mut SessionOptions| {
            o.environment = Environment::default();
            o.environment.set.insert("A=B".into(), "secret".into());
        };
        let message = with(&bad);
        assert!(
            message.contains("A=B") && !message.contains("secret"),
            "{message}"
        );
    });
}

#[test]
fn options_as_json_are_refused_by_the_name_of_the_member() {
    for (json, named) in [
        (r#"{"provider": "claude", "modle": "x"}"#, "modle"),
        (r#"{"provider": "claude", "cwd": 5}"#, "5"),
        (r#"{"permission_mode": "yolo"}"#, "yolo"),
        (r#"{"timeouts": {"start": 5}}"#, "start"),
        (r#"{"timeouts": {"start_ms": -5}}"#, "-5"),
        (r#"{"mcp_servers": {"x": {"smoke": {}}}}"#, "smoke"),
        (r#"{"provider": "claude""#, "line 1"),
    ] {
        let error = from_json::<SessionOptions>(json).expect_err(json);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.message().contains(named), "{json}: {error}");
    }
    let error = from_json::<PoolOptions>(r#"{"max_wram": 1}"#).expect_err("a slip");
    assert!(error.message().contains("max_wram"), "{error}");
}

#[test]
fn pool_options_that_cannot_be_are_refused_by_name() {
    isolated(|| {
        let refused = |set: &dyn Fn(&mut PoolOptions), named: &str| {
            let mut options = PoolOptions::default();
            set(&mut options);
            let error = Pool::with_options(options).expect_err(named);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().contains(named), "{error}");
        };
        refused(&|o| o.max_warm = 0, "max_warm");
        refused(&|o| o.max_processes = Some(1), "max_processes");
        refused(&|o| o.max_starting = 0, "max_starting");
        refused(&|o| o.max_line = 1, "max_line");
        refused(&|o| o.max_message = 0, "max_message");
        refused(&|o| o.log_bytes = 0, "log_bytes");
        refused(&|o| o.threads = 0, "threads");
        refused(
            &|o| o.downgrade = Downgrade::Probation { turns: 0 },
            "downgrade",
        );
    });
}

/// Why a message is refused, which causes no event.
fn unsent(session: &Session, text: &str) -> ErrorKind {
    let before = session.snapshot();
    let error = session.send(text).expect_err("the message is refused");
    assert_eq!(session.snapshot(), before, "nothing happened");
    error.kind()
}

#[test]
fn messages_that_cannot_be_sent_are_refused_and_cause_no_event() {
    each(&Lane::ALL, async |lane| {
        let pool = PoolOptions {
            max_message: 1000,
            ..PoolOptions::default()
        };
        let mut stage = Stage::open(lane, &Script::new(), pool, |_| ());
        for text in ["", " \n\t", "a\0b"] {
            assert_eq!(unsent(&stage.session, text), ErrorKind::InvalidArgument);
        }
        let most = "é".repeat(500);
        assert_eq!(
            unsent(&stage.session, &format!("{most}x")),
            ErrorKind::TooLarge
        );
        let told = stage.ask(&most).await;
        assert_eq!(told.completed().text, format!("You said: {most}"));
        stage.end().await;
    });
}

#[test]
fn a_message_over_the_agents_own_limit_is_refused() {
    each(&[Lane::CodexWarm, Lane::CodexOneShot], async |lane| {
        let stage = Stage::new(lane);
        let text = "é".repeat((1 << 20) + 1);
        assert_eq!(unsent(&stage.session, &text), ErrorKind::TooLarge);
        stage.end().await;
    });
}

#[test]
fn a_second_turn_is_refused_while_one_runs_and_causes_no_event() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let turn = stage
            .session
            .send("[[tool Bash ls 0]] [[hang]]")
            .expect("the first");
        let from = stage.log().len();
        let error = stage.session.send("more").expect_err("one runs");
        assert_eq!(error.kind(), ErrorKind::TurnInProgress);
        assert!(error.message().contains(&turn.id().to_string()), "{error}");
        turn.interrupt().await.expect("the session is there");
        let told = stage.told(turn.id(), from).await;
        assert!(told.is_interrupted(), "{told:?}");
        assert_eq!(stage.ask("more").await.completed().text, "You said: more");
        let starts = stage
            .log()
            .iter()
            .filter(|event| event.kind().name() == "turn_started");
        assert_eq!(starts.count(), 2, "the refused one was none");
        stage.end().await;
    });
}

#[test]
fn every_call_after_the_close_is_answered() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let turn = stage.session.send("hello").expect("it is open");
        let told = stage.told(turn.id(), 0).await;
        told.completed();
        let session = stage.session.clone();
        stage.end().await;
        let error = session.send("more").expect_err("it is closed");
        assert_eq!(error.kind(), ErrorKind::Closed);
        let error = session.ask("more").await.expect_err("it is closed");
        assert!(matches!(error, AskError::Refused(_)), "{error}");
        let late = session.interrupt(turn.id()).await;
        assert!(matches!(late, Ok(Receipt::TooLate) | Err(_)), "{late:?}");
        let late = turn.interrupt().await;
        assert!(matches!(late, Ok(Receipt::TooLate) | Err(_)), "{late:?}");
        turn.result().await.expect("the result stays");
        drop(session.hold());
        session.close();
        assert!(session.closed().await.is_empty());
        assert!(session.snapshot().closed);
        let mut events = session.events(1);
        let mut last = 0;
        while let Some(event) = events.next().await {
            assert_eq!(event.seq, last + 1, "the log stays readable");
            last = event.seq;
        }
        assert_eq!(session.snapshot().next_seq, last + 1);
    });
}

#[test]
fn a_pool_that_was_shut_down_opens_nothing() {
    isolated_async(|| async {
        let (pool, agents) = (Pool::new().expect("a pool"), Scripted::claude());
        let session = pool.open(agents.options()).expect("a session");
        let turn = session.send("[[hang]]").expect("it is open");
        let report = pool.shutdown(Duration::from_secs(1)).await;
        assert!(report.left.is_empty(), "{report:?}");
        let error = turn.result().await.expect_err("it was cut off");
        assert_eq!(error.kind(), Some(ErrorKind::Closed));
        let error = refused(&pool, agents.options());
        assert_eq!(error.kind(), ErrorKind::Closed);
        let error = session.send("more").expect_err("it is closed");
        assert_eq!(error.kind(), ErrorKind::Closed);
        let again = pool.shutdown(Duration::from_secs(1)).await;
        assert!(again.left.is_empty(), "{again:?}");
    });
}

#[test]
fn a_conversation_that_the_agent_does_not_know_is_resume_failed() {
    each(&Lane::ALL, async |lane| {
        let unknown = "01a1f79e-f0dd-79c0-b83d-81a69ab3cc91";
        let pool = PoolOptions::default();
        let mut stage = Stage::open(lane, &Script::new(), pool, |options| {
            options.resume = Some(unknown.to_owned());
        });
        for _ in 0..2 {
            let told = stage.ask("hello").await;
            let failure = told.failed(ErrorKind::ResumeFailed);
            assert!(failure.message.contains(unknown), "{failure:?}");
            assert_eq!(told.downgrade(), None, "the process is not at fault");
        }
        stage.end().await;
    });
}

#[test]
fn a_daemonised_agent_is_ended_with_the_session() {
    each(&Lane::ALL, async |lane| {
        let leave = Script::new().on(Trigger::Start, [Action::Daemonise, Action::Freeze]);
        let mut stage = Stage::script(lane, &leave);
        stage.ask("hello").await.failed(ErrorKind::ProcessExit);
        stage.end().await;
    });
}

#[test]
fn an_agent_that_outlives_its_turn_keeps_its_conversation_until_it_is_gone() {
    each(&[Lane::ClaudeWarm, Lane::CodexWarm], async |lane| {
        let pool = PoolOptions {
            max_warm: 1,
            ..PoolOptions::default()
        };
        let slow = script(Trigger::Start, [Action::SlowEof(300)]);
        let mut stage = Stage::open(lane, &slow, pool, |options| {
            options.timeouts = Some(soon(|_, _| ()));
        });
        stage.ask("first").await.completed();
        // Another session takes the slot, and the first one wants to go on at once.
        let other = stage.pool.open(stage.agents.options()).expect("a session");
        other.ask("other").await.expect("it is answered");
        assert!(other.closed().await.is_empty());
        let told = stage.recalls("first").await;
        assert_eq!(told.downgrade(), None);
        stage.end().await;
    });
}
