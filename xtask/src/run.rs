//! Runs other programs, visibly.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long one step may take. No measure of speed: what hangs is to be named while somebody still
/// reads, and not to be cut off with all the rest unsaid.
const LIMIT: Duration = Duration::from_mins(55);

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a step to its end, its output going where ours goes.
pub(crate) fn step(name: &str, command: &mut Command) -> Result<(), String> {
    println!("\n=== {name}");
    let start = Instant::now();
    let program = command.get_program().to_string_lossy().into_owned();
    let running = command
        .spawn()
        .map_err(|error| format!("{name}: {program} does not start: {error}"))?;
    let status = ended(running).map_err(|error| format!("{name}: {program}: {error}"))?;
    if !status.success() {
        return Err(format!("{name}: {program}: {status}"));
    }
    println!("=== {name}: {} s", start.elapsed().as_secs());
    Ok(())
}

/// Waits for the end of a step, for so long as it may take.
fn ended(mut running: Child) -> Result<ExitStatus, String> {
    let start = Instant::now();
    loop {
        if let Some(status) = running.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        if start.elapsed() > LIMIT {
            // What runs is what hangs.
            let _ = Command::new("ps")
                .args(["-eo", "pid,ppid,etime,args"])
                .status();
            let _ = running.kill();
            return Err(format!("hangs: no end after {} s", LIMIT.as_secs()));
        }
        sleep(Duration::from_millis(50));
    }
}
