//! The way from what stands in `PATH` to the native program.
//!
//! The npm package of the versions known here has a native `bin`, so following links is enough.
//! Launchers around it (npm's `.cmd`, the package's own wrapper for a skipped install step) are
//! followed by the package's layout; an older pure JavaScript `cli.js` stays as it was found.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub(super) fn native(found: &Path) -> PathBuf {
    let real = found.canonicalize().unwrap_or_else(|_| found.to_owned());
    if is_native(&real) {
        return real;
    }
    candidates(&real)
        .into_iter()
        .find(|candidate| is_native(candidate))
        .unwrap_or_else(|| found.to_owned())
}

/// Where the native program lies, seen from a launcher.
fn candidates(launcher: &Path) -> Vec<PathBuf> {
    let mut scopes = Vec::new();
    if let Some(folder) = launcher.parent() {
        // Beside npm's launcher on Windows; and from `node_modules/.bin`.
        scopes.push(folder.join("node_modules/@anthropic-ai"));
        scopes.push(folder.join("../@anthropic-ai"));
    }
    if let Some(scope) = launcher
        .ancestors()
        .find(|folder| folder.ends_with("@anthropic-ai"))
    {
        scopes.push(scope.to_owned());
    }
    let mut all = Vec::new();
    for scope in scopes {
        all.push(scope.join("claude-code/bin/claude.exe"));
        for package in platform_packages() {
            for nested in ["", "claude-code/node_modules/@anthropic-ai"] {
                let folder = scope.join(nested).join(&package);
                all.push(folder.join("claude"));
                all.push(folder.join("claude.exe"));
            }
        }
    }
    all
}

fn platform_packages() -> Vec<String> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let name = format!("claude-code-{system}-{machine}");
    let musl = format!("{name}-musl");
    if cfg!(target_env = "musl") {
        vec![musl, name]
    } else {
        vec![name, musl]
    }
}

fn is_native(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok()
        && (magic == *b"\x7fELF"
            || magic.starts_with(b"MZ")
            // Mach-O: thin 64-bit, and universal.
            || magic == [0xcf, 0xfa, 0xed, 0xfe]
            || magic == [0xca, 0xfe, 0xba, 0xbe])
}
