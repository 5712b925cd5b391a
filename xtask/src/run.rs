//! Runs other programs, visibly.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

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
    let status = command
        .status()
        .map_err(|error| format!("{name}: {program} does not start: {error}"))?;
    if !status.success() {
        return Err(format!("{name}: {program}: {status}"));
    }
    println!("=== {name}: {} s", start.elapsed().as_secs());
    Ok(())
}
