//! Paseo, with a stand-in for its program and its daemon: neither is installed here.
//!
//! What these tests drive of the provider's table, which `matrix_page.rs` reads here:
//!
//! | feature | in a process | test |
//! |---|---|---|
//! | `resume` | `one_shot` | `a_conversation_goes_on_in_another_pool` |
//! | `interrupt` | `one_shot` | `an_interrupt_stops_the_agent_and_the_next_turn_goes_on_with_it` |

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use remuda::{Body, ErrorKind, EventKind, Pool, Receipt, Session};
use remuda_tests::{
    Tape, bounded, count, descendants, end_of, fails, is_interrupted, isolated, isolated_async,
    root, says, soon, stats_become, wait_until,
};
use rustix::process::{WaitOptions, wait};
use tempfile::TempDir;

#[path = "stand_in_paseo/daemon.rs"]
mod daemon;

use daemon::{Daemon, options};

fn pool() -> Pool {
    Pool::builder().build().expect("a pool")
}

fn agent_of(session: &Session) -> String {
    let id = session.snapshot().provider_session_id;
    id.expect("the agent is known")
}

/// Closes the session and the pool, and sees that all was lawful.
async fn finish(pool: Pool, session: Session, tape: Tape) -> Vec<std::sync::Arc<remuda::Event>> {
    session.close();
    drop(session);
    let events = tape.whole().await;
    let report = pool.shutdown(std::time::Duration::from_secs(30)).await;
    assert!(report.left.is_empty(), "{report:?}");
    events
}

#[test]
fn turns_are_one_conversation_with_a_process_each() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let session = daemon.open(&pool);
        let tape = Tape::of(&session);
        says(session.send("one\n").expect("accepted"), "one").await;
        let agent = agent_of(&session);
        let long = "é".repeat(32_000 - 12) + "\n[[recall]]";
        let answer = end_of(session.send(long.clone()).expect("accepted")).await;
        assert_eq!(answer.expect("it goes well").text, format!("one\n\n{long}"));
        assert_eq!(agent_of(&session), agent);
        let events = finish(pool, session, tape).await;
        assert_eq!(count(&events, EventKind::ProcessStarted), 2);
        assert_eq!(count(&events, EventKind::ProcessStopped), 2);
        assert_eq!(count(&events, EventKind::Message), 2);
        assert_eq!(count(&events, EventKind::Warning), 0);
        assert_eq!((daemon.count("run"), daemon.count("send")), (1, 1));
        let send = daemon.calls().into_iter().find(|call| call[0] == "send");
        assert!(
            !send.expect("a call").concat().contains('é'),
            "not on the command line"
        );
    });
}

#[test]
fn the_longest_first_message_arrives_and_a_longer_one_is_refused() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let session = daemon.open(&pool);
        let tape = Tape::of(&session);
        let longest = "𝄞".repeat(32_000);
        says(session.send(longest.clone()).expect("accepted"), &longest).await;
        let refused = session.send(longest + "x").expect_err("it is too long");
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        finish(pool, session, tape).await;
    });
}

#[test]
fn a_conversation_goes_on_in_another_pool() {
    isolated_async(async || {
        let (daemon, first) = (Daemon::start(), pool());
        let session = daemon.open(&first);
        let tape = Tape::of(&session);
        says(session.send("one").expect("accepted"), "one").await;
        let agent = agent_of(&session);
        finish(first, session, tape).await;

        let mut options = daemon.options();
        options.resume = Some(agent.clone());
        options.model = None;
        let second = pool();
        let session = second.open(options).expect("a session");
        let mut tape = Tape::of(&session);
        says(
            session.send("[[recall]]").expect("accepted"),
            "one\n[[recall]]",
        )
        .await;
        assert_eq!(agent_of(&session), agent);
        let bound = tape
            .until("it is bound", |e| {
                matches!(e.body, Body::SessionBound { .. })
            })
            .await;
        assert!(
            matches!(&bound.body, Body::SessionBound { resumed: true, .. }),
            "{bound:?}"
        );
        finish(second, session, tape).await;
        assert_eq!(daemon.count("run"), 1);
    });
}

#[test]
fn an_agent_that_is_not_there_is_told_as_such() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let mut options = daemon.options();
        options.resume = Some("no-such-agent".to_owned());
        let session = pool.open(options).expect("a session");
        let tape = Tape::of(&session);
        let error = end_of(session.send("x").expect("accepted")).await;
        let error = error.expect_err("there is none");
        assert_eq!(error.kind(), Some(ErrorKind::ResumeFailed));
        assert!(
            error.to_string().contains("Agent not found: no-such-agent"),
            "{error}"
        );
        finish(pool, session, tape).await;
        assert_eq!(daemon.count("run"), 0, "nothing begins anew");
    });
}

#[test]
fn a_daemon_that_does_not_run_fails_the_turn_in_its_words_and_not_the_session() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        daemon.stop();
        let session = daemon.open(&pool);
        let tape = Tape::of(&session);
        let error = end_of(session.send("x").expect("accepted")).await;
        let error = error.expect_err("nobody is there");
        assert_eq!(error.kind(), Some(ErrorKind::AgentError));
        let words = "Cannot connect to daemon at localhost:6767: connect ECONNREFUSED";
        assert!(error.to_string().contains(words), "{error}");
        fs::write(daemon.home.path().join("daemon"), "").expect("it starts");
        says(session.send("there").expect("accepted"), "there").await;
        let events = finish(pool, session, tape).await;
        assert_eq!(count(&events, EventKind::Downgraded), 0);
    });
}

#[test]
fn the_host_of_the_arguments_is_that_of_every_command() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let mut options = daemon.options();
        // The stand-in reaches no daemon there.
        options.extra_args = vec!["--host".to_owned(), "localhost:1".to_owned()];
        let session = pool.open(options).expect("a session");
        let tape = Tape::of(&session);
        let error = end_of(session.send("x").expect("accepted")).await;
        let error = error.expect_err("nobody is there").to_string();
        assert!(error.contains("daemon at localhost:1:"), "{error}");
        assert!(!daemon.calls().concat().contains(&"localhost:1".to_owned()));
        finish(pool, session, tape).await;
    });
}

#[test]
fn an_interrupt_stops_the_agent_and_the_next_turn_goes_on_with_it() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let session = daemon.open(&pool);
        let tape = Tape::of(&session);
        for round in 1..4 {
            let turn = session.send("[[hang]]").expect("accepted");
            daemon.wait_for("wait", 2 * round - 1);
            let agent = daemon.agent();
            assert_eq!(daemon.status(&agent), "running");
            let receipt = bounded("a receipt", turn.interrupt()).await;
            assert_eq!(receipt.expect("it runs"), Receipt::Delivered);
            is_interrupted(turn).await;
            assert_eq!(
                daemon.status(&agent),
                "idle",
                "it is stopped, not only left"
            );
            says(session.send("on").expect("accepted"), "on").await;
        }
        finish(pool, session, tape).await;
        assert_eq!((daemon.count("run"), daemon.count("stop")), (1, 3));
    });
}

#[test]
fn an_interrupt_while_the_agent_is_made_stops_it_as_soon_as_it_is() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let session = daemon.open(&pool);
        let tape = Tape::of(&session);
        let turn = session.send("[[slow-run]]").expect("accepted");
        daemon.wait_for("run", 1);
        let receipt = bounded("a receipt", turn.interrupt()).await;
        assert_eq!(receipt.expect("it runs"), Receipt::Delivered);
        fs::write(daemon.home.path().join("go"), "").expect("it is made");
        is_interrupted(turn).await;
        assert_eq!(daemon.status(&agent_of(&session)), "idle");
        finish(pool, session, tape).await;
        assert_eq!(daemon.count("stop"), 1);
    });
}

#[test]
fn an_agent_that_does_not_stop_is_left_to_its_daemon_and_gets_the_next_message() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let mut options = daemon.options();
        options.timeouts = Some(soon(|t, short| t.interrupt_grace = short));
        let session = pool.open(options).expect("a session");
        let tape = Tape::of(&session);
        let turn = session.send("[[deaf]]").expect("accepted");
        daemon.wait_for("wait", 1);
        let receipt = bounded("a receipt", turn.interrupt()).await;
        assert_eq!(receipt.expect("it runs"), Receipt::Delivered);
        is_interrupted(turn).await;
        assert_eq!(daemon.status(&daemon.agent()), "running");
        says(session.send("on").expect("accepted"), "on").await;
        finish(pool, session, tape).await;
        assert_eq!((daemon.count("run"), daemon.count("stop")), (1, 1));
    });
}

#[test]
fn a_session_that_is_closed_stops_its_agent() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let session = daemon.open(&pool);
        let tape = Tape::of(&session);
        let turn = session.send("[[hang]]").expect("accepted");
        daemon.wait_for("wait", 1);
        let agent = daemon.agent();
        finish(pool, session, tape).await;
        drop(turn);
        assert_eq!(daemon.status(&agent), "idle");
    });
}

#[test]
fn a_permission_is_denied_and_that_is_told() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let session = daemon.open(&pool);
        let tape = Tape::of(&session);
        says(session.send("[[ask]]").expect("accepted"), "it was denied").await;
        let events = finish(pool, session, tape).await;
        assert_eq!(count(&events, EventKind::Warning), 1);
        assert_eq!((daemon.count("permit"), daemon.count("wait")), (1, 2));
    });
}

#[test]
fn a_turn_that_fails_or_says_nothing_costs_nothing_else() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let session = daemon.open(&pool);
        let tape = Tape::of(&session);
        says(session.send("one").expect("accepted"), "one").await;
        says(session.send("[[silent]]").expect("accepted"), "").await;
        fails(
            session.send("[[fail]]").expect("accepted"),
            ErrorKind::AgentError,
        )
        .await;
        says(session.send("four").expect("accepted"), "four").await;
        finish(pool, session, tape).await;
        assert_eq!(daemon.count("run"), 1);
    });
}

#[test]
fn commands_that_are_killed_fail_the_turn_and_leave_the_agent() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let session = daemon.open(&pool);
        let tape = Tape::of(&session);
        let turn = session.send("[[hang]]").expect("accepted");
        daemon.wait_for("wait", 1);
        let agent = daemon.agent();
        let shells = descendants(std::process::id());
        let shells = shells
            .iter()
            .filter(|(_, _, name)| name == "sh" || name == "dash");
        let pids: Vec<_> = shells.map(|(pid, ..)| *pid).collect();
        assert!(!pids.is_empty());
        for pid in pids {
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid"));
            let pid = pid.expect("a pid");
            // The second one may have ended with the first.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let error = end_of(turn).await.expect_err("it was killed");
        assert_eq!(error.kind(), Some(ErrorKind::ProcessExit));
        assert_eq!(daemon.status(&agent), "running", "nobody told the daemon");
        says(session.send("and on").expect("accepted"), "and on").await;
        assert_eq!(agent_of(&session), agent);
        finish(pool, session, tape).await;
    });
}

/// Where the host of the next test finds its daemon.
const HOST: &str = "REMUDA_TEST_PASEO_HOST";

/// No test: a host that sends a turn and lives until it is killed.
#[test]
#[ignore = "the host of the next test"]
fn host() {
    let Some(home) = std::env::var_os(HOST) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let pool = pool();
        let session = pool.open(options(Path::new(&home))).expect("a session");
        let turn = session.send("[[hang]]").expect("accepted");
        let end = turn.result().await;
        panic!("it lives on: {end:?}");
    });
}

#[test]
fn a_host_that_is_killed_leaves_no_process_and_the_agent_is_found_again() {
    isolated(|| {
        let daemon = Daemon::start();
        let mut host = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "host", "--ignored", "--nocapture"])
            .env(HOST, daemon.home.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("a host");
        daemon.wait_for("wait", 1);
        host.kill().expect("it lives");
        host.wait().expect("it died");
        wait_until("nothing lives", || {
            // What the host leaves comes to this process.
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
            descendants(std::process::id()).is_empty()
        });
        let agent = daemon.agent();
        assert_eq!(daemon.status(&agent), "running");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let pool = pool();
            let mut options = daemon.options();
            options.resume = Some(agent);
            let session = pool.open(options).expect("a session");
            let tape = Tape::of(&session);
            let turn = session.send("[[recall]]").expect("accepted");
            says(turn, "[[hang]]\n[[recall]]").await;
            finish(pool, session, tape).await;
        });
    });
}

#[test]
fn options_that_paseo_cannot_take_are_refused_before_anything_runs() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let mut options = daemon.options();
        options.model = None;
        let refused = pool.open(options).expect_err("which agent?");
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
        let mut options = daemon.options();
        options.read_only = true;
        let refused = pool.open(options).expect_err("it cannot be promised");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        let mut options = daemon.options();
        options.program = Some("paseo-that-is-not-there".into());
        let refused = pool.open(options).expect_err("there is no program");
        assert_eq!(refused.kind(), ErrorKind::ProgramNotFound);
        assert!(daemon.calls().is_empty());
        stats_become(&pool, "an empty pool", remuda_tests::is_empty).await;
    });
}

#[test]
fn a_program_in_the_working_directory_is_never_taken() {
    isolated_async(async || {
        let (daemon, pool) = (Daemon::start(), pool());
        let folder = TempDir::new().expect("a folder");
        let real = env!("CARGO_BIN_EXE_paseo-stand-in");
        std::os::unix::fs::symlink(real, folder.path().join("paseo")).expect("a link");
        let trap = daemon.home.path().join("paseo");
        std::os::unix::fs::symlink("/bin/false", &trap).expect("a link");
        let mut options = daemon.options();
        options.program = None;
        let path = format!(".::{}:/usr/bin:/bin", folder.path().display());
        options.environment.set.insert("PATH".to_owned(), path);
        let session = pool.open(options).expect("a session");
        let tape = Tape::of(&session);
        says(session.send("x").expect("accepted"), "x").await;
        finish(pool, session, tape).await;
    });
}

#[test]
fn the_script_says_the_same_in_every_shell() {
    isolated(|| {
        let script = root().join("core/src/provider/paseo/turn.sh");
        let script = fs::read_to_string(script).expect("the script");
        let mut said = Vec::new();
        for shell in ["sh", "dash", "bash"] {
            let daemon = Daemon::start();
            for message in ["one\ntwo\n\n", "[[ask]]", "[[fail]]", "[[silent]]"] {
                let file = daemon.home.path().join("message");
                fs::write(&file, message).expect("a message");
                let stdin = fs::File::open(&file).expect("a message");
                let output = Command::new(shell)
                    .args([
                        "-c",
                        &script,
                        "turn",
                        env!("CARGO_BIN_EXE_paseo-stand-in"),
                        "",
                    ])
                    .args(["--cwd", "/", "--provider=codex"])
                    .env("PASEO_HOME", daemon.home.path())
                    .stdin(stdin)
                    .output();
                match output {
                    Ok(output) => said.push((message, output)),
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{shell}"),
                }
            }
        }
        for (message, output) in &said {
            let (_, first) = said
                .iter()
                .find(|(m, _)| m == message)
                .expect("a first one");
            assert_eq!(output, first, "{message}");
        }
    });
}
