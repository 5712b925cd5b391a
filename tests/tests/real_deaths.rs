//! The main promise, with the real agents: what a death costs.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use remuda::config::{Mode, Timeouts};
use remuda::event::StopReason;
use remuda::{Body, ErrorKind, Pool};
use remuda_tests::{
    Real, answer, closed, descendants, first_pid, freeze, kill, look_for, pids_in, read_until,
    runs, started, stopped, wait_until, with_real_agents,
};

const RECALL: &str = r#"MODEL:[{"recall":"marker-"}]"#;

with_real_agents! {
    a_death_in_a_turn_costs_the_turn_and_the_warm_process
    a_death_in_a_tool_leaves_nothing_of_the_tool
    a_death_between_turns_costs_nothing
    a_message_to_a_process_that_just_died_is_answered
    a_frozen_process_is_replaced
    the_death_of_the_host_ends_every_tree
}

async fn a_death_in_a_turn_costs_the_turn_and_the_warm_process(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let mut turn = session
        .send(r#"MODEL:[{"stall_after":3}]"#)
        .expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
    kill(first_pid(&session).await);
    let end = read_until(&mut turn, |body| body.kind().is_turn_end()).await;
    let Body::TurnFailed { failure, .. } = &end.body else {
        panic!("{end:?}");
    };
    assert_eq!(failure.code, ErrorKind::ProcessExit);
    assert_eq!(failure.exit.and_then(|exit| exit.signal), Some(9));
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    let modes: Vec<_> = started(&events)
        .iter()
        .map(|p| (p.mode, p.resumed))
        .collect();
    assert_eq!(modes, [(Mode::Warm, false), (Mode::OneShot, true)]);
    let downgrades = events.iter().filter(|event| {
        matches!(event.body, Body::Downgraded { reason, .. } if reason == ErrorKind::ProcessExit)
    });
    assert_eq!(downgrades.count(), 1);
}

async fn a_death_in_a_tool_leaves_nothing_of_the_tool(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let pids = real.project().join("pids");
    let mut turn = session.send(stubborn_tool()).expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::ToolUse { .. })).await;
    wait_until("the tool runs", || pids_in(&pids).len() == 3);
    kill(first_pid(&session).await);
    look_for(&session, |body| matches!(body, Body::ProcessStopped { .. })).await;
    let left: Vec<_> = pids_in(&pids)
        .into_iter()
        .filter(|pid| runs(*pid))
        .collect();
    assert!(
        left.is_empty(),
        "{left:?} {:?}",
        descendants(std::process::id())
    );
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    closed(&session).await;
}

async fn a_death_between_turns_costs_nothing(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    kill(first_pid(&session).await);
    look_for(&session, |body| matches!(body, Body::ProcessStopped { .. })).await;
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    let modes: Vec<_> = started(&events)
        .iter()
        .map(|p| (p.mode, p.resumed))
        .collect();
    assert_eq!(modes, [(Mode::Warm, false), (Mode::Warm, true)]);
    assert_eq!(stopped(&events), [StopReason::Exited, StopReason::Closed]);
    assert_eq!(pool.stats().downgraded, 0);
}

async fn a_message_to_a_process_that_just_died_is_answered(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    kill(first_pid(&session).await);
    // Before or after the session knows of it: the agent never saw the message.
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let recalls = real.api().calls().len() - 1;
    assert_eq!(recalls, 1, "the message was sent once to the model");
    closed(&session).await;
}

async fn a_frozen_process_is_replaced(real: Real) {
    let timeouts = Timeouts {
        first_sign: Duration::from_secs(3),
        ..Timeouts::default()
    };
    let pool = Pool::builder().timeouts(timeouts).build().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    freeze(first_pid(&session).await);
    // The agent shows no sign of the turn, so it is sent again.
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    let modes: Vec<_> = started(&events)
        .iter()
        .map(|p| (p.mode, p.resumed))
        .collect();
    assert_eq!(modes, [(Mode::Warm, false), (Mode::OneShot, true)]);
    let downgrades = events.iter().filter(|event| {
        matches!(event.body, Body::Downgraded { reason, .. } if reason == ErrorKind::FirstOutputTimeout)
    });
    assert_eq!(downgrades.count(), 1);
}

/// A command whose processes leave their session and their parent, and ignore what asks them to
/// end. It writes down three pids.
fn stubborn_tool() -> String {
    let command = concat!(
        "trap '' TERM HUP INT; ",
        "(setsid sh -c 'trap \"\" TERM HUP INT; echo $$ >> pids; sleep 1000 & ",
        "echo $! >> pids; wait' &) ; ",
        "echo $$ >> pids; sleep 1000"
    );
    format!("MODEL:{}", serde_json::json!([{"shell": command}, "done"]))
}

/// A host in a process of its own, with one session and one turn.
struct Host {
    child: Child,
}

impl Host {
    fn start(real: &Real, prompt: &str) -> Self {
        let options = serde_json::to_string(&real.options()).expect("options are JSON");
        let child = Command::new(env!("CARGO_BIN_EXE_real-host"))
            .args([&options, prompt])
            .stdin(Stdio::null())
            .spawn()
            .expect("a host");
        Self { child }
    }
}

/// How long anything may live on after its host. No guess about a machine: this second is promised, so
/// it is looked at with a clock.
const DEAD_AFTER: Duration = Duration::from_secs(1);

async fn the_death_of_the_host_ends_every_tree(real: Real) {
    let pids = real.project().join("pids");
    for round in 1..=5 {
        let mut host = Host::start(&real, &stubborn_tool());
        wait_until("the tool runs", || pids_in(&pids).len() == 3);
        let agents = descendants(host.child.id()).len();
        assert!(agents >= 5, "a guard, the agent, and what the tool started");
        host.child.kill().expect("it runs");
        let dead = Instant::now();
        host.child.wait().expect("it ends");
        // We are the subreaper: what the guard would miss is now a child of ours.
        wait_until("everything is gone", || heirs().is_empty());
        let took = dead.elapsed();
        assert!(took < DEAD_AFTER, "round {round}: {took:?}");
        let left: Vec<_> = pids_in(&pids)
            .into_iter()
            .filter(|pid| runs(*pid))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        std::fs::remove_file(&pids).expect("the list");
    }
}

/// What is left below this process, when what is dead was taken in.
fn heirs() -> Vec<(u32, char, String)> {
    use rustix::process::{WaitOptions, wait};
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    descendants(std::process::id())
}
