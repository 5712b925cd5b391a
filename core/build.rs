//! Compiles the guard for the target, so that the library can carry it.
//!
//! The guard needs only `rustc`, a linker and the C library: no crate, no network. Writes to `OUT_DIR` alone. Runs again
//! when the guard's sources change, because Cargo then rebuilds this script.
//!
//! `REMUDA_GUARD` replaces what is compiled: a path names an image made elsewhere, `none` builds the library without.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=REMUDA_GUARD");
    let out = PathBuf::from(variable("OUT_DIR"));
    let image = out.join("guard");
    let made = match env::var("REMUDA_GUARD") {
        Ok(choice) if choice == "none" => fs::write(&image, []).map_err(|error| error.to_string()),
        Ok(path) => {
            println!("cargo::rerun-if-changed={path}");
            fs::copy(&path, &image)
                .map(drop)
                .map_err(|error| format!("REMUDA_GUARD: {path}: {error}"))
        }
        // The documentation is built for targets that have no linker there.
        Err(_) if !has_guard() || env::var_os("DOCS_RS").is_some() => {
            fs::write(&image, []).map_err(|error| error.to_string())
        }
        Err(_) => compile(&out.join("guard-sources"), &image),
    };
    if let Err(why) = made {
        println!(
            "cargo::error=the guard could not be built (REMUDA_GUARD=none builds without): {why}"
        );
    }
}

/// Whether the target is one that the guard is written for.
fn has_guard() -> bool {
    ["linux", "macos"].contains(&variable("CARGO_CFG_TARGET_OS").as_str())
        && variable("CARGO_CFG_TARGET_POINTER_WIDTH") == "64"
        && variable("CARGO_CFG_TARGET_ENDIAN") == "little"
}

fn compile(sources: &Path, image: &Path) -> Result<(), String> {
    for (name, text) in remuda_guard::SOURCES {
        let path = sources.join(name);
        let folder = path.parent().unwrap_or(sources);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| error.to_string())?;
    }
    // Not every toolchain can do link-time optimization; without it the image is somewhat larger.
    run(sources, image, &["-Clto=fat"]).or_else(|_| run(sources, image, &[]))
}

fn run(sources: &Path, image: &Path, extra: &[&str]) -> Result<(), String> {
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args([
            "--edition=2024",
            "--crate-name=remuda_guard",
            "--crate-type=bin",
            "--cap-lints=allow",
        ])
        .args([
            "-Copt-level=z",
            "-Cpanic=abort",
            "-Cstrip=symbols",
            "-Ccodegen-units=1",
        ])
        .args(["--target", &variable("TARGET"), "-o"])
        .arg(image)
        .args(extra)
        .args(linker_flags())
        .arg(sources.join("main.rs"));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut flag = std::ffi::OsString::from("-Clinker=");
        flag.push(linker);
        rustc.arg(flag);
    }
    let output = rustc.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    // Cargo takes one line.
    Err(String::from_utf8_lossy(&output.stderr)
        .lines()
        .take(20)
        .collect::<Vec<_>>()
        .join(" | "))
}

/// Those of the user's flags that say how to link. Others (coverage, sanitizers) are not for a program without std.
fn linker_flags() -> Vec<String> {
    let encoded = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut flags = encoded.split('\x1f');
    let mut kept = Vec::new();
    while let Some(flag) = flags.next() {
        let value = match flag {
            "-C" | "--codegen" => flags.next().unwrap_or_default(),
            _ => flag
                .strip_prefix("-C")
                .or_else(|| flag.strip_prefix("--codegen="))
                .unwrap_or_default(),
        };
        if value.starts_with("link-arg") || value.starts_with("linker") {
            kept.push(format!("-C{value}"));
        }
    }
    kept
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
