//! The examples are made and run as they stand: only `claude` is the scripted agent. And the C++ header has its own host.

#![cfg(target_os = "linux")]

mod hosts;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hosts::{Build, Program, library, play, quick, reap, text};
use remuda_tests::{Real, isolated, root, scripted_agent};
use tempfile::TempDir;

/// What the scripted agent says to the question of the examples.
const ANSWER: &str = "You said: Say hello in five words.\n";

/// Which `claude` an example finds, and in which environment.
struct Claude {
    program: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Claude {
    fn scripted() -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        Self {
            program: scripted_agent(),
            variables: BTreeMap::from([("PATH".to_owned(), path)]),
        }
    }

    /// The real one; its model says which turn it is.
    fn real(real: &Real) -> Self {
        let options = real.asking();
        Self {
            program: options.program.expect("a program"),
            variables: options.environment.set,
        }
    }

    /// Runs a command where `claude` is this one, with this input, and gives what it says.
    fn said(&self, command: &Command, input: &str) -> String {
        let folder = TempDir::new().expect("a temporary folder");
        symlink(&self.program, folder.path().join("claude")).expect("a link");
        let path = self.variables.get("PATH").map_or("", String::as_str);
        let own = command.get_envs().filter_map(|(k, v)| Some((k, v?)));
        let mut child = Command::new(command.get_program())
            .args(command.get_args())
            .args([Path::new("claude"), folder.path()])
            .env_clear()
            .envs(&self.variables)
            .envs(own.collect::<Vec<(&OsStr, &OsStr)>>())
            .env("PATH", format!("{}:{path}", folder.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        reap();
        let said = text(&output.stdout);
        assert!(output.status.success(), "{}: {said}", output.status);
        said
    }
}

/// Runs a command where `claude` is the scripted agent.
fn said(command: &Command, input: &str) -> String {
    Claude::scripted().said(command, input)
}

fn made(compiler: &str, standard: &str, example: &str) -> Program {
    let source = root().join("examples").join(example);
    Build::with(compiler, standard).args([source]).shared()
}

#[test]
fn the_quick_start_in_c_prints_the_answer() {
    isolated(|| {
        for compiler in ["gcc", "clang"] {
            let program = made(compiler, "c99", "c/quickstart.c");
            assert_eq!(said(&program.command(&[]), ""), ANSWER);
        }
    });
}

#[test]
fn the_event_loop_answers_every_line_in_order() {
    isolated(|| {
        let program = made("gcc", "c11", "c/event_loop.c");
        let answers = said(&program.command(&[]), "one\ntwo\n\nthree\n");
        assert_eq!(answers, "You said: one\nYou said: two\nYou said: three\n");
    });
}

#[test]
fn the_quick_start_in_cpp_prints_the_answer_and_that_nothing_is_left() {
    isolated(|| {
        for compiler in ["g++", "clang++"] {
            let program = made(compiler, "c++17", "cpp/quickstart.cpp");
            let said = said(&program.command(&[]), "");
            let rest = said.strip_prefix(ANSWER).expect("the answer");
            assert!(rest.contains(r#""left":[]"#), "{rest}");
        }
    });
}

fn lua() -> Command {
    let mut lua = Command::new("luajit");
    lua.arg(root().join("examples/lua/quickstart.lua"))
        .env("REMUDA_H", root().join("include/remuda.h"))
        .env("REMUDA_LIBRARY", library().join("libremuda.so"));
    lua
}

#[test]
fn t12_the_quick_start_in_luajit_prints_the_answer() {
    isolated(|| {
        assert_eq!(said(&lua(), ""), ANSWER);
    });
}

#[test]
fn every_example_speaks_with_the_real_claude() {
    if quick() {
        return;
    }
    isolated(|| {
        let real = Real::claude();
        let claude = Claude::real(&real);
        let c = made("gcc", "c99", "c/quickstart.c");
        let cpp = made("g++", "c++17", "cpp/quickstart.cpp");
        let event_loop = made("gcc", "c11", "c/event_loop.c");
        assert_eq!(claude.said(&c.command(&[]), ""), "turn 1\n");
        assert_eq!(claude.said(&lua(), ""), "turn 1\n");
        let said = claude.said(&cpp.command(&[]), "");
        let rest = said.strip_prefix("turn 1\n").expect("the answer");
        assert!(rest.contains(r#""left":[]"#), "{rest}");
        let answers = claude.said(&event_loop.command(&[]), "one\ntwo\n\nthree\n");
        assert_eq!(answers, "turn 1\nturn 2\nturn 3\n");
    });
}

fn cpp_host(compiler: &'static str) {
    let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let host = root().join("ffi/tests/cpp/host.cpp");
    let build = || Build::with(compiler, "c++17").args(sanitizers).args([host]);
    play(|| build().shared(), &[], &[]);
}

#[test]
fn the_cpp_header_by_gcc_under_sanitizers() {
    cpp_host("g++");
}

#[test]
fn the_cpp_header_by_clang_under_sanitizers() {
    cpp_host("clang++");
}

#[test]
fn the_cpp_header_is_good_without_exceptions() {
    let source = "#include <remuda.hpp>\nint main() {\n    std::error_code code;\n    \
                  const remuda::pool pool(remuda::pool_options{}, [](const remuda::event &) {}, {}, code);\n}\n";
    for compiler in ["g++", "clang++"] {
        let build = Build::with(compiler, "c++17").args(["-fno-exceptions"]);
        build.accepts("without.cpp", source);
    }
}
