//! What the hosts of this package share: their arguments, and the line of JSON that each prints. See `bench/src/host.rs`.

use std::path::PathBuf;
use std::time::Instant;

/// What every host is given.
pub struct Plan {
    pub warm: bool,
    pub provider: String,
    pub agent: PathBuf,
    pub folder: PathBuf,
    pub turns: usize,
    pub prompt: String,
}

impl Plan {
    /// Reads the arguments after so many words of the host's own.
    pub fn read(own: usize) -> Self {
        let all: Vec<String> = std::env::args().skip(1 + own).collect();
        let [how, provider, agent, folder, _sessions, turns, prompt] = all.as_slice() else {
            panic!("warm|each PROVIDER AGENT FOLDER SESSIONS TURNS PROMPT");
        };
        Self {
            warm: how == "warm",
            provider: provider.clone(),
            agent: agent.into(),
            folder: folder.into(),
            turns: turns.parse().expect("a number"),
            prompt: prompt.clone(),
        }
    }

    pub fn stamped(&self) -> bool {
        self.prompt.contains("stamped")
    }
}

/// What was seen between a start and now.
pub struct Tally {
    cpu: f64,
    wall: Instant,
    pub events: u64,
    pub bytes: usize,
    pub first: Vec<f64>,
    pub end: Vec<f64>,
    pub latency: Vec<f64>,
    turn: Instant,
    shown: bool,
}

impl Tally {
    pub fn start() -> Self {
        Self {
            cpu: cpu_us(),
            wall: Instant::now(),
            events: 0,
            bytes: 0,
            first: Vec::new(),
            end: Vec::new(),
            latency: Vec::new(),
            turn: Instant::now(),
            shown: false,
        }
    }

    pub fn turn_begins(&mut self) {
        self.turn = Instant::now();
        self.shown = false;
    }

    /// A piece of text came.
    pub fn piece(&mut self, text: &str, stamped: bool) {
        self.events += 1;
        self.bytes += text.len();
        if !self.shown {
            self.shown = true;
            self.first.push(self.turn.elapsed().as_secs_f64() * 1e6);
        }
        if stamped {
            let now = clock(libc::CLOCK_MONOTONIC);
            let stamps = text.split_whitespace().flat_map(str::parse::<i64>);
            self.latency.extend(stamps.map(|at| now - at as f64 / 1e3));
        }
    }

    pub fn turn_ends(&mut self) {
        self.end.push(self.turn.elapsed().as_secs_f64() * 1e6);
    }

    pub fn print(&mut self) {
        println!(
            "{{\"cpu_us\":{:.1},\"wall_us\":{:.1},\"events\":{},\"bytes\":{},\"peak_kb\":{},\"first_us\":{:.1},\
             \"end_us\":{:.1},\"p50_us\":{:.1},\"p99_us\":{:.1},\"max_us\":{:.1}}}",
            cpu_us() - self.cpu,
            self.wall.elapsed().as_secs_f64() * 1e6,
            self.events,
            self.bytes,
            peak_kb(),
            at(&mut self.first, 50),
            at(&mut self.end, 50),
            at(&mut self.latency, 50),
            at(&mut self.latency, 99),
            at(&mut self.latency, 100),
        );
    }
}

fn cpu_us() -> f64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// In microseconds.
fn clock(which: libc::clockid_t) -> f64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes one struct there.
    unsafe { libc::clock_gettime(which, &mut now) };
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

fn at(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) * percent / 100)
        .copied()
        .unwrap_or_default()
}
