//! The C tests: made by two compilers, linked in both ways, under sanitizers and under valgrind.

#![cfg(target_os = "linux")]

mod hosts;

use hosts::{Build, c_tests, play, quick};

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
    let memcheck = [
        "valgrind",
        "--quiet",
        "--error-exitcode=9",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect,possible",
        "--child-silent-after-fork=yes",
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
