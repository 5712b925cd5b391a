//! Programs in other languages that the tests make and run.

#![expect(dead_code, reason = "each test program uses a part of it")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use remuda_tests::{isolated, root, scripted_agent};
use rustix::process::{WaitOptions, wait};
use tempfile::TempDir;

/// What the compilers are asked to find.
pub(crate) const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];

/// The folder with the library of this moment, found under the name that programs look for.
pub(crate) fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Cargo builds no shared library for tests, and a stale one would be tested without a word.
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet"])
            .args(["--package", "remuda-ffi", "--package", "remuda-ffi-provoke"])
            .arg("--target-dir")
            .arg(built().parent().expect("a target folder"));
        run(build.current_dir(root()));
        let folder = built().join("ffi");
        fs::create_dir_all(&folder).expect("a folder");
        for name in ["libremuda.so", "libremuda.so.0"] {
            let link = folder.join(name);
            // Several test programs may do so at once.
            let _ = std::os::unix::fs::symlink("../libremuda.so", link);
        }
        folder
    })
}

/// The folder that Cargo builds into.
pub(crate) fn built() -> PathBuf {
    let agent = scripted_agent();
    agent.parent().expect("a folder").to_owned()
}

/// Runs a program that must go well.
///
/// # Panics
///
/// If it is not there or fails, with all that it said.
pub(crate) fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|why| {
        panic!("{program}: {why}; the tests need gcc, clang, cmake, luajit, pkg-config, valgrind")
    });
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    let status = output.status;
    assert!(
        status.success(),
        "{program}: {status}\n{command:?}\n{said}\n{complained}"
    );
    output
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program in C or C++ under way.
#[derive(Debug)]
pub(crate) struct Build {
    folder: TempDir,
    command: Command,
}

impl Build {
    /// With this compiler and standard, strictly.
    pub(crate) fn with(compiler: &str, standard: &str) -> Self {
        let mut command = Command::new(compiler);
        command
            .arg(format!("-std={standard}"))
            .args(STRICT)
            .arg("-g")
            .arg("-I")
            .arg(root().join("include"));
        let folder = TempDir::new().expect("a temporary folder");
        Self { folder, command }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Only looks whether this text compiles.
    pub(crate) fn accepts(mut self, name: &str, source: &str) {
        let file = self.folder.path().join(name);
        fs::write(&file, source).expect("a file");
        run(self.command.arg("-fsyntax-only").arg(file));
    }

    /// Links with the shared library.
    pub(crate) fn shared(mut self) -> Program {
        let library = library();
        self.command
            .arg("-L")
            .arg(library)
            .args(["-lremuda", "-lpthread"])
            .arg(format!("-Wl,-rpath,{}", library.display()));
        self.finish()
    }

    /// Links with the library that can be made to panic.
    pub(crate) fn provoked(mut self) -> Program {
        library();
        self.command
            .arg("-L")
            .arg(built())
            .args(["-lremuda_provoke", "-lpthread"])
            .arg(format!("-Wl,-rpath,{}", built().display()));
        self.finish()
    }

    /// Links with the static library.
    pub(crate) fn fixed(mut self) -> Program {
        library();
        self.command
            .arg(built().join("libremuda.a"))
            .args(["-lpthread", "-ldl", "-lm"]);
        self.finish()
    }

    fn finish(mut self) -> Program {
        let path = self.folder.path().join("program");
        run(self.command.arg("-o").arg(&path));
        let folder = self.folder;
        Program { path, folder }
    }
}

/// A program that was made.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    folder: TempDir,
}

impl Program {
    /// A command that runs it, by way of another program if there is one.
    pub(crate) fn command(&self, by_way_of: &[&str]) -> Command {
        match by_way_of.split_first() {
            None => Command::new(&self.path),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.path);
                command
            }
        }
    }
}

/// Makes a host and runs it with the scripted agent at hand, apart from everything else; nothing may be left of it.
pub(crate) fn play(
    make: impl FnOnce() -> Program,
    by_way_of: &[&str],
    environment: &[(&str, &str)],
) {
    isolated(|| {
        let folder = TempDir::new().expect("a temporary folder");
        let program = make();
        run(program
            .command(by_way_of)
            .envs(environment.iter().copied())
            .env("REMUDA_TEST_AGENT", scripted_agent())
            .env("REMUDA_TEST_FOLDER", folder.path()));
        reap();
    });
}

/// Takes the exit codes of what a host left to its parent: guards of a host that ended, or was killed, are about to end,
/// and land on the test. One that does not end is found by [`isolated`].
pub(crate) fn reap() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => std::thread::yield_now(),
            Err(_) => return,
        }
    }
}

/// The sources of the C tests.
pub(crate) fn c_tests() -> Vec<PathBuf> {
    let folder = root().join("ffi/tests/c");
    let files = fs::read_dir(folder).expect("a folder");
    let mut sources: Vec<PathBuf> = files
        .map(|file| file.expect("a file").path())
        .filter(|file| file.extension() == Some(OsStr::new("c")))
        .collect();
    sources.sort();
    sources
}

/// Whether the long runs are left out.
pub(crate) fn quick() -> bool {
    std::env::var_os("REMUDA_TEST_QUICK").is_some()
}
