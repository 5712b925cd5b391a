//! The actor with real processes.

use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::process::rig::{Echo, words};
use crate::process::{Command, Report, Stop};
use crate::provider::{AgentSignal, Conversation};

struct Run {
    handle: ProcessHandle,
    reports: mpsc::Receiver<(ProcessId, Report)>,
}

impl Run {
    fn start(program: &str, args: &[&str]) -> Self {
        let tree = TreeSpec {
            program: program.into(),
            args: args.iter().map(Into::into).collect(),
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            cwd: "/".into(),
            merged: false,
            lowest: tree::Containment::ProcessGroup,
        };
        let handle = start(ProcessSpec {
            id: ProcessId::next(),
            plan: Box::new(|| Ok(tree)),
            codec: Box::new(Echo),
            stop: StopLadder {
                half_close: Duration::from_mins(1),
                signal: Some((AgentSignal::Terminate, Duration::from_mins(1))),
            },
            limits: Limits {
                max_line: 1 << 20,
                write: Duration::from_secs(30),
            },
            lease: Box::new(()),
            shared: false,
            spawned: Box::new(|| ()),
            runtime: Handle::current(),
        });
        let (sender, reports) = mpsc::channel(64);
        let run = Self { handle, reports };
        run.command(Command::Attach {
            conversation: Conversation(0),
            reports: sender,
        });
        run
    }

    fn shell(script: &str) -> Self {
        Self::start("/bin/sh", &["-c", script])
    }

    fn command(&self, command: Command) {
        self.handle.commands.send(command).expect("an actor");
    }

    async fn report(&mut self) -> Report {
        self.reports.recv().await.expect("a report").1
    }

    /// Everything up to the end, in words. The ends of the process and of its output are not
    /// ordered; the process comes first here.
    async fn all(mut self) -> Vec<String> {
        let (mut all, mut exited) = (Vec::new(), None);
        loop {
            let report = self.report().await;
            let said = words(&report);
            if matches!(report, Report::Exited { .. }) {
                exited = Some(said);
            } else if matches!(report, Report::Gone { .. }) {
                all.extend(exited);
                all.push(said);
                return all;
            } else {
                all.push(said);
            }
        }
    }
}

#[tokio::test]
async fn what_is_written_comes_back_and_a_half_close_ends_it() {
    let mut run = Run::start("/bin/cat", &[]);
    assert_eq!(words(&run.report().await), "spawned");
    assert_eq!(words(&run.report().await), "hello");
    run.command(Command::Stop(Stop::Gently { by: None }));
    let end = [
        "the end",
        "output closed",
        "exited Some(0) \"\"",
        "gone, left []",
    ];
    assert_eq!(run.all().await, end);
}

#[tokio::test]
async fn an_exit_is_told_with_its_code_and_its_last_words() {
    let run = Run::shell("echo out; echo why >&2; exit 3");
    let heard = run.all().await.join("; ");
    assert!(
        heard.ends_with("output closed; exited Some(3) \"why\"; gone, left []"),
        "{heard}"
    );
    assert!(heard.contains("out"), "{heard}");
}

#[tokio::test]
async fn a_kill_reaches_what_ignores_everything_else() {
    let mut run = Run::shell("trap '' TERM INT; echo ready; while :; do sleep 60; done");
    while !words(&run.report().await).contains("ready") {}
    run.command(Command::Stop(Stop::Kill));
    let heard = run.all().await;
    assert!(heard.contains(&"exited None \"\"".to_owned()), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("gone, left []"));
}

#[tokio::test]
async fn a_descendant_that_holds_the_output_does_not_outlive_the_agent() {
    let run = Run::shell("setsid sleep 600 & echo started");
    let heard = run.all().await;
    assert_eq!(heard.last().map(String::as_str), Some("gone, left []"));
    assert!(!heard.contains(&"LeakedOutput".to_owned()), "{heard:?}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let mut run = Run::start("/no/such/agent", &[]);
    let Report::SpawnFailed(error) = run.report().await else {
        panic!("it started");
    };
    assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
    assert!(error.message().contains("/no/such/agent"), "{error}");
    assert_eq!(words(&run.report().await), "gone, left []");
}

#[test]
fn a_cwd_that_is_not_there_is_told_apart() {
    let spec = SpawnError::Directory {
        cwd: "/nowhere".into(),
        source: std::io::Error::from(std::io::ErrorKind::NotFound),
    };
    let error = refused(&spec);
    assert_eq!(error.kind(), ErrorKind::CwdUnusable);
    assert!(error.message().starts_with("working directory /nowhere"));
}

#[test]
fn whatever_the_machine_has_no_more_of_is_a_shortage_and_no_fault_of_the_process() {
    // EAGAIN, ENOMEM, ENFILE and EMFILE.
    for errno in [11, 12, 23, 24] {
        let source = std::io::Error::from_raw_os_error(errno);
        let kinds = [
            SpawnError::System {
                what: "a process",
                source: std::io::Error::from_raw_os_error(errno),
            },
            SpawnError::from_exec("/agent".into(), source),
        ];
        for error in kinds {
            let refused = refused(&error);
            assert_eq!(refused.kind(), ErrorKind::Shortage, "{error}");
            assert!(!refused.kind().is_runtime());
        }
    }
}

#[test]
fn what_is_too_long_to_be_started_is_the_hosts_to_mend_and_downgrades_nothing() {
    let error = refused(&SpawnError::System {
        what: "arguments and environment",
        source: io::ErrorKind::ArgumentListTooLong.into(),
    });
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(!error.kind().is_runtime());
}
