//! The C tests: made by two compilers, linked in both ways, under sanitizers and under valgrind.

#![cfg(target_os = "linux")]

mod hosts;

use std::process::Command;

use hosts::{Build, Program, c_tests, play, quick, reap, run, text};
use remuda_tests::{Real, isolated, root, scripted_agent};
use tempfile::TempDir;

#[test]
fn c_hosts_by_gcc_under_address_and_undefined_behaviour_sanitizer() {
    let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let build = || Build::with("gcc", "c99").args(sanitizers).args(c_tests());
    play(|| build().shared(), &[], &[]);
}

#[test]
fn c_hosts_by_clang_linked_statically() {
    play(
        || Build::with("clang", "c11").args(c_tests()).fixed(),
        &[],
        &[],
    );
}

#[test]
fn c_hosts_under_valgrind_lose_no_memory_and_read_nothing_wrong() {
    if quick() {
        return;
    }
    let known = root().join("ffi/tests/memcheck.supp");
    let suppressions = format!("--suppressions={}", known.display());
    let memcheck = [
        "valgrind",
        "--quiet",
        "--error-exitcode=9",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect,possible",
        "--child-silent-after-fork=yes",
        "--num-callers=40",
        &suppressions,
    ];
    play(
        || {
            Build::with("gcc", "c11")
                .args(["-gdwarf-4"])
                .args(c_tests())
                .shared()
        },
        &memcheck,
        &[("REMUDA_TEST_SESSIONS", "8")],
    );
}

#[test]
fn a_panic_becomes_a_status_and_the_pool_can_be_freed() {
    let folder = root().join("ffi/tests");
    let sources = ["panic/panic.c", "c/check.c"].map(|source| folder.join(source));
    let build = || Build::with("gcc", "c99").args(sources);
    play(|| build().provoked(), &[], &[]);
}

#[test]
fn the_real_claude_calls_a_tool_of_a_host_in_c_and_asks_it_for_permission() {
    if quick() {
        return;
    }
    isolated(|| {
        let folder = root().join("ffi/tests");
        let sources = ["real/claude.c", "c/check.c"].map(|source| folder.join(source));
        let program = Build::with("gcc", "c11").args(sources).shared();
        let real = Real::claude();
        let options = real.asking();
        run(program
            .command(&[])
            .env_clear()
            .envs(options.environment.set)
            .env("REMUDA_TEST_AGENT", options.program.expect("a program"))
            .env("REMUDA_TEST_FOLDER", options.cwd));
        reap();
    });
}

/// A program under helgrind. What the library does itself is not judged: helgrind does not see how its locks, which are
/// not those of the C library, order things.
fn under_helgrind(program: &Program) -> Command {
    let ours = root().join("ffi/tests/helgrind.supp");
    let suppressions = format!("--suppressions={}", ours.display());
    program.command(&[
        "valgrind",
        "--tool=helgrind",
        "--quiet",
        "--error-exitcode=9",
        &suppressions,
    ])
}

#[test]
fn t1_eight_threads_and_a_hundred_sessions_under_helgrind_race_nowhere_in_c() {
    if quick() {
        return;
    }
    isolated(|| {
        let folder = TempDir::new().expect("a temporary folder");
        let build = Build::with("gcc", "c11").args(["-gdwarf-4"]);
        run(under_helgrind(&build.args(c_tests()).shared())
            .env("REMUDA_TEST_SESSIONS", "100")
            // In each of the two modes.
            .env("REMUDA_TEST_SECONDS", "30")
            .env("REMUDA_TEST_ONLY", "t1_")
            .env("REMUDA_TEST_AGENT", scripted_agent())
            .env("REMUDA_TEST_FOLDER", folder.path()));
        reap();
    });
}

#[test]
fn helgrind_finds_a_race_in_a_callback_of_the_host() {
    if quick() {
        return;
    }
    isolated(|| {
        let folder = TempDir::new().expect("a temporary folder");
        let sources = ["race/race.c", "c/check.c"].map(|file| root().join("ffi/tests").join(file));
        let build = Build::with("gcc", "c11").args(["-gdwarf-4"]);
        let output = under_helgrind(&build.args(sources).shared())
            .env("REMUDA_TEST_AGENT", scripted_agent())
            .env("REMUDA_TEST_FOLDER", folder.path())
            .output()
            .expect("valgrind is there");
        reap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(9), "{said}");
        assert!(
            said.contains("data race") && said.contains("race.c"),
            "{said}"
        );
    });
}

/// A short run from the kept corpus; `cargo xtask fuzz-ffi` is the long one.
#[test]
fn random_sequences_of_calls_find_nothing() {
    isolated(|| {
        let flags = ["-O1", "-fsanitize=fuzzer,address,undefined"];
        let source = root().join("ffi/fuzz/calls.c");
        let fuzzer = Build::with("clang", "c11")
            .args(flags)
            .args([source])
            .shared();
        let fresh = TempDir::new().expect("a temporary folder");
        run(fuzzer
            .command(&[])
            .args([
                "-runs=4000",
                "-max_total_time=15",
                "-max_len=400",
                "-timeout=60",
            ])
            .arg(fresh.path())
            .arg(root().join("ffi/fuzz/corpus"))
            .current_dir(fresh.path())
            .env("REMUDA_TEST_AGENT", scripted_agent()));
        reap();
    });
}
