//! What the tests of the C library need beside Cargo: tools, a package, a fuzzer.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist;
use crate::run::{cargo, root, step};

/// Programs, and the packages of Debian that have them.
const TOOLS: [(&str, &str); 9] = [
    ("gcc", "gcc"),
    ("g++", "g++"),
    ("clang", "clang"),
    ("cmake", "cmake"),
    ("make", "make"),
    ("pkg-config", "pkg-config"),
    ("luajit", "luajit"),
    ("valgrind", "valgrind"),
    ("nm", "binutils"),
];

/// Sees that the tools are there, and installs what is missing where that is possible.
pub(crate) fn tools() -> Result<(), String> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --yes {}", missing.join(" "));
    let install = "apt-get update --quiet && apt-get install --yes --quiet \"$@\"";
    let may = std::env::var_os("USER").is_none_or(|user| user == "root") && found("apt-get");
    if may {
        let mut shell = Command::new("sh");
        shell.args(["-c", install, "sh"]).args(&missing);
        shell.env("DEBIAN_FRONTEND", "noninteractive");
        step("tools", &mut shell)?;
    }
    if self::missing().is_empty() {
        return Ok(());
    }
    Err(format!(
        "the tests of the C library need more tools: {line}"
    ))
}

fn missing() -> Vec<&'static str> {
    let missing = TOOLS.iter().filter(|(program, _)| !found(program));
    missing.map(|(_, package)| *package).collect()
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Lays the library out as it is installed, moves it, and builds a project with it: by `CMake` and by `pkg-config`.
pub(crate) fn package() -> Result<(), String> {
    let made = dist::folder(true)?;
    let place = root().join("target/consumer");
    if place.exists() {
        fs::remove_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()))?;
    }
    fs::create_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()))?;
    let prefix = place.join("elsewhere");
    fs::rename(made, &prefix).map_err(|e| format!("{}: {e}", prefix.display()))?;
    by_cmake(&prefix, &place.join("cmake"))?;
    by_pkg_config(&prefix, &place)
}

fn by_cmake(prefix: &Path, build: &Path) -> Result<(), String> {
    let mut define = OsString::from("-DCMAKE_PREFIX_PATH=");
    define.push(prefix);
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(root().join("ffi/tests/consumer"));
    configure.arg("-B").arg(build).arg(define);
    step("cmake", &mut configure)?;
    step(
        "cmake build",
        Command::new("cmake").arg("--build").arg(build),
    )?;
    for program in ["consumer-c", "consumer-static", "consumer-cpp"] {
        step(program, &mut Command::new(build.join(program)))?;
    }
    Ok(())
}

fn by_pkg_config(prefix: &Path, place: &Path) -> Result<(), String> {
    let folder = prefix.join("lib/pkgconfig");
    let program = place.join("consumer-pkg-config");
    let script = "cc -Wall -Werror \"$1\" -o \"$2\" $(pkg-config --cflags --libs remuda)";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, "sh"])
        .arg(root().join("ffi/tests/consumer/main.c"))
        .arg(&program)
        .env("PKG_CONFIG_PATH", folder);
    step("pkg-config", &mut shell)?;
    step(
        "consumer-pkg-config",
        Command::new(program).env("LD_LIBRARY_PATH", prefix.join("lib")),
    )
}

/// Fuzzes sequences of calls of the C library for so many seconds, and keeps what is new in the corpus.
pub(crate) fn fuzz(arguments: &[String]) -> Result<(), String> {
    let seconds: u32 = match arguments {
        [] => 600,
        [number] => number
            .parse()
            .map_err(|_| format!("{number} is no number of seconds"))?,
        _ => return Err("fuzz-ffi takes a number of seconds or nothing".to_owned()),
    };
    let found = root().join("target/fuzz-ffi");
    let corpus = root().join("ffi/fuzz/corpus");
    let program = fuzzer(&found)?;
    let fresh = found.join("corpus");
    fs::create_dir_all(&fresh).map_err(|e| format!("{}: {e}", fresh.display()))?;
    let mut prefix = found.into_os_string();
    prefix.push("/");
    let mut artifacts = OsString::from("-artifact_prefix=");
    artifacts.push(prefix);
    let agent = root().join("target/debug/scripted-agent");
    let mut run = Command::new(&program);
    run.arg(format!("-max_total_time={seconds}"))
        .args([
            "-max_len=400",
            "-timeout=60",
            "-print_final_stats=1",
            "-verbosity=0",
        ])
        .arg(artifacts)
        .args([&fresh, &corpus])
        .env("REMUDA_TEST_AGENT", &agent);
    step("fuzz", &mut run)?;
    let mut merge = Command::new(&program);
    merge.args(["-merge=1", "-max_len=400", "-verbosity=0"]);
    merge
        .args([&corpus, &fresh])
        .env("REMUDA_TEST_AGENT", &agent);
    step("corpus", &mut merge)
}

/// Makes the fuzzer and what it needs.
fn fuzzer(place: &Path) -> Result<PathBuf, String> {
    fs::create_dir_all(place).map_err(|e| format!("{}: {e}", place.display()))?;
    let mut build = cargo();
    build.args([
        "build",
        "--package",
        "remuda-ffi",
        "--package",
        "scripted-agent",
    ]);
    step("library", &mut build)?;
    let link = place.join("libremuda.so.0");
    // It is there already, or it is not and the fuzzer says so.
    let _ = std::os::unix::fs::symlink(root().join("target/debug/libremuda.so"), &link);
    let program = place.join("calls");
    let mut rpath = OsString::from("-Wl,-rpath,");
    rpath.push(place);
    let mut clang = Command::new("clang");
    clang
        .args([
            "-std=c11",
            "-g",
            "-O1",
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
        ])
        .arg("-fsanitize=fuzzer,address,undefined")
        .arg("-I")
        .arg(root().join("include"))
        .arg(root().join("ffi/fuzz/calls.c"))
        .arg(link)
        .arg("-lpthread")
        .arg(rpath)
        .arg("-o")
        .arg(&program);
    step("fuzzer", &mut clang)?;
    Ok(program)
}
