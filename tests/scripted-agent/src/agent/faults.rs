//! The instructions that need no turn: how the process itself misbehaves.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustix::stdio::dup2_stdout;
use scripted_agent::Action;

use crate::context::Agent;
use crate::input::Reading;
use crate::{children, complain, garbage, lock, sys};

/// Nothing that was told to last goes on for longer than this.
pub(crate) const LONGEST: Duration = Duration::from_mins(2);

/// The most memory that is taken on request.
const MOST_MEGABYTES: u64 = 4096;

impl Agent {
    /// Does an instruction outside of a turn. Those that need a turn are kept
    /// out by the check of the script, and are passed over here.
    pub(crate) fn perform(&self, action: &Action) {
        match action {
            Action::SleepMs(ms) => std::thread::sleep(Duration::from_millis(*ms)),
            Action::Freeze => self.freeze(),
            Action::Exit(code) => std::process::exit(*code),
            Action::Abort => die(Signal::ABORT),
            Action::Segv => die(Signal::SEGV),
            Action::KillSelf => die(Signal::KILL),
            Action::StopSelf => die(Signal::STOP),
            Action::Spin => drop(std::thread::spawn(spin)),
            Action::Allocate(megabytes) => allocate(*megabytes),
            Action::OpenFds => open_descriptors(),
            Action::IgnoreSignals => {
                [libc::SIGTERM, libc::SIGINT, libc::SIGHUP]
                    .into_iter()
                    .for_each(sys::ignore_signal);
            }
            Action::IgnoreEof => lock(&self.settings).ignore_eof = true,
            Action::SlowEof(ms) => lock(&self.settings).eof_delay = Duration::from_millis(*ms),
            Action::Wrapper => children::replace_self(self, false),
            Action::Daemonise => children::replace_self(self, true),
            Action::Children(..) | Action::Hold(_) | Action::Hopper(..) | Action::Bomb(_) => {
                drop(children::start(self, action));
            }
            Action::StopReading => self.input.set(Reading::Stopped),
            Action::ReadSlow(rate) => self.input.set(Reading::Slow(*rate)),
            Action::CloseStdin => self.input.set(Reading::Closed),
            Action::CloseStdout => self.close_stdout(),
            Action::Stderr(megabytes) => flood_stderr(*megabytes),
            Action::OneByteWrites => self.out.shape(|shaping| shaping.one_byte = true),
            Action::SplitLines => self.out.shape(|shaping| shaping.split = true),
            Action::Crlf => self.out.shape(|shaping| shaping.crlf = true),
            Action::DelayWrites(ms) => self
                .out
                .shape(|shaping| shaping.delay = Duration::from_millis(*ms)),
            Action::Interrupts(mode, ms) => {
                let mut settings = lock(&self.settings);
                settings.interrupts = *mode;
                settings.interrupt_delay = Duration::from_millis(*ms);
            }
            Action::Replies(mode) => lock(&self.settings).replies = *mode,
            Action::Raw(line) => self.bytes_line(line.clone().into_bytes()),
            Action::Noise(kind) => garbage::noise(self, *kind),
            Action::InvalidUtf8 => garbage::invalid_utf8(self),
            Action::DeepJson(depth) => self.bytes_line(garbage::deep(*depth)),
            Action::UnknownTypes => garbage::unknown(self),
            Action::WrongTypes => garbage::wrong(self),
            Action::EndlessLine(megabytes) => garbage::endless(self, *megabytes),
            Action::Words(..)
            | Action::Say(_)
            | Action::Think(_)
            | Action::Bytes(_)
            | Action::Line(_)
            | Action::Recall
            | Action::Env
            | Action::Fds
            | Action::Tool(..)
            | Action::Ask(..)
            | Action::Forge(..)
            | Action::Plan(_)
            | Action::Request(..)
            | Action::ModelError(_)
            | Action::FollowUp(_)
            | Action::Flood(_)
            | Action::Paced(..)
            | Action::Burst(_)
            | Action::NoTerminal
            | Action::DoubleTerminal
            | Action::ContradictoryTerminals
            | Action::TerminalFirst
            | Action::AfterTerminal
            | Action::NoFinalNewline
            | Action::WrongId
            | Action::AskFlood(_)
            | Action::AskStale
            | Action::AskTwice
            | Action::Hang => {}
        }
    }

    fn freeze(&self) {
        self.out.freeze();
        std::thread::sleep(LONGEST);
        // Longer than any test waits: nobody is left who would end this process.
        std::process::exit(1);
    }

    fn close_stdout(&self) {
        self.out.give_up();
        match File::options().write(true).open("/dev/null") {
            Ok(nothing) => drop(dup2_stdout(&nothing)),
            Err(why) => complain(&format!("closing stdout: {why}")),
        }
    }
}

/// Ends or stops this process by a signal.
fn die(signal: Signal) {
    // A core dump would only cost time and disk. The limit can always be lowered.
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: getrlimit(Resource::Core).maximum,
        },
    );
    sys::default_signal(signal.as_raw());
    sys::raise(signal.as_raw());
}

fn spin() {
    let start = Instant::now();
    while start.elapsed() < LONGEST {
        std::hint::spin_loop();
    }
}

fn allocate(megabytes: u64) {
    let bytes = usize::try_from(megabytes.min(MOST_MEGABYTES) << 20).unwrap_or(0);
    // Other than zeros, so that every page is really there.
    std::mem::forget(vec![1_u8; bytes]);
}

fn open_descriptors() {
    while let Ok(file) = File::open("/dev/null") {
        std::mem::forget(file);
    }
}

fn flood_stderr(megabytes: u64) {
    let line = format!("{}\n", "scripted-agent writes to stderr ".repeat(32));
    let block = line.repeat((1 << 20) / line.len() + 1);
    for _ in 0..megabytes {
        if std::io::stderr()
            .lock()
            .write_all(&block.as_bytes()[..1 << 20])
            .is_err()
        {
            return;
        }
    }
}
