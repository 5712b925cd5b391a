//! Makes everything that is measured: the library as it is released, the hosts, the peers, an agent.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::Host;

/// Cargo's profile for all that is ours: as released, with what names lines in a profile.
const PROFILE: &str = "measured";

/// Where everything is.
pub(crate) struct Setup {
    root: PathBuf,
    /// Where Cargo builds, and what it built.
    target: PathBuf,
    built: PathBuf,
    /// What else was made.
    made: PathBuf,
    /// What was tried to be made, and how that went: once for all comparisons.
    tried: RefCell<BTreeMap<&'static str, Result<(), String>>>,
}

/// A program could not be made: the hosts that need it are missing.
pub(crate) type Made = Result<Host, String>;

impl Setup {
    /// Builds what every comparison needs, unless nothing is to be measured.
    ///
    /// # Errors
    ///
    /// What does not build.
    pub(crate) fn new(builds: bool) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root.canonicalize().map_err(|why| why.to_string())?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let setup = Self {
            built: target.join(PROFILE),
            made: target.join("bench"),
            target,
            root,
            tried: RefCell::default(),
        };
        std::fs::create_dir_all(&setup.made).map_err(|why| why.to_string())?;
        if !builds {
            return Ok(setup);
        }
        let mut build = cargo();
        build
            .args(["build", "--profile", PROFILE, "--package", "remuda-ffi"])
            .args([
                "--package",
                "scripted-agent",
                "--package",
                "remuda-bench",
                "--bins",
                "--lib",
            ])
            .current_dir(&setup.root);
        must(&mut build)?;
        Ok(setup)
    }

    /// Makes something, the first time that it is wanted.
    fn once(
        &self,
        what: &'static str,
        make: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        if let Some(known) = self.tried.borrow().get(what) {
            return known.clone();
        }
        let outcome = make();
        self.tried.borrow_mut().insert(what, outcome.clone());
        outcome
    }

    /// The agent that plays all protocols.
    pub(crate) fn agent(&self) -> PathBuf {
        self.built.join("scripted-agent")
    }

    /// Where results and charts lie.
    pub(crate) fn results(&self) -> PathBuf {
        self.root.join("bench/results")
    }

    pub(crate) fn docs(&self) -> PathBuf {
        self.root.join("docs")
    }

    /// The host in Rust.
    pub(crate) fn rust(&self) -> Made {
        let program = self.built.join("bench-host");
        present(&program)?;
        Ok(host("Remuda, Rust", program, &[]))
    }

    /// The host in C, which pushes or pulls.
    pub(crate) fn c(&self, name: &'static str, how: &str) -> Made {
        let program = self.made.join("remuda-c");
        let link = self.made.join("libremuda.so.0");
        if std::fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(self.built.join("libremuda.so"), &link)
                .map_err(|why| why.to_string())?;
        }
        let include = self.root.join("include");
        let rpath = format!("-Wl,-rpath,{}", self.made.display());
        let more = [
            OsStr::new("-I"),
            include.as_os_str(),
            link.as_os_str(),
            rpath.as_ref(),
        ];
        self.once("the host in C", || {
            self.compiled("remuda.c", &program, &more)
        })?;
        Ok(host(name, program, &[how]))
    }

    /// The program that parses nothing, over a `pipe`, a `socket`, or a socket and another `thread`.
    pub(crate) fn limit(&self, how: &str) -> Made {
        let program = self.made.join("limit");
        self.once("the limit", || self.compiled("limit.c", &program, &[]))?;
        Ok(host("limit", program, &[how]))
    }

    fn compiled(&self, source: &str, program: &Path, more: &[&OsStr]) -> Result<(), String> {
        let source = self.root.join("bench/hosts").join(source);
        let mut compile = Command::new("cc");
        compile
            .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"])
            .arg(source)
            .args(more)
            .args(["-lpthread", "-o"])
            .arg(program);
        must(&mut compile)
    }

    /// A host in Rust that does not use Remuda.
    pub(crate) fn peer(&self, name: &'static str, program: &str, words: &[&str]) -> Made {
        let folder = self.root.join("bench/peers");
        let target = self.made.join("peers");
        self.once("the peers in Rust", || {
            let mut build = cargo();
            build.args(["build", "--quiet", "--release", "--locked", "--target-dir"]);
            must(build.arg(&target).current_dir(folder))
        })?;
        Ok(host(name, target.join("release").join(program), words))
    }

    /// A host in Python, in an environment of its own with what `requirements.txt` names.
    pub(crate) fn python(&self, name: &'static str, script: &str) -> Made {
        let folder = self.root.join("bench/hosts/python");
        let script = present(&folder.join(script))?;
        let venv = self.made.join("venv");
        let python = venv.join("bin/python");
        if !venv.join("done").exists() {
            must(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
            let mut install = Command::new(&python);
            install.args(["-m", "pip", "install", "--quiet", "--requirement"]);
            must(install.arg(folder.join("requirements.txt")))?;
            std::fs::write(venv.join("done"), "").map_err(|why| why.to_string())?;
        }
        Ok(host(name, python, &[&script]))
    }

    /// A host in JavaScript, with what `package-lock.json` names.
    pub(crate) fn node(&self, name: &'static str, script: &str) -> Made {
        let folder = self.root.join("bench/hosts/node");
        let script = present(&folder.join(script))?;
        if !folder.join("node_modules/.package-lock.json").exists() {
            let mut install = Command::new("npm");
            install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
            must(install.current_dir(&folder))?;
        }
        Ok(host(name, "node".into(), &[&script]))
    }

    /// Remuda's own module for Python, built as it is released.
    pub(crate) fn remuda_python(&self) -> Made {
        let module = self.root.join("bindings/python");
        present(&module.join("Cargo.toml"))?;
        let mut host = self.python("Remuda, Python", "remuda_host.py")?;
        self.once("the module for Python", || {
            let mut build = Command::new(&host.program);
            build.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--force-reinstall",
                "--no-deps",
            ]);
            build.env("CARGO_TARGET_DIR", &self.target);
            let arguments = format!("--profile {PROFILE}");
            must(build.arg(&module).env("MATURIN_PEP517_ARGS", arguments))
        })?;
        host.env
            .insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
        Ok(host)
    }

    /// Remuda's own module for Node.
    pub(crate) fn remuda_node(&self) -> Made {
        let module = self.root.join("bindings/node");
        present(&module.join("package.json"))?;
        let mut host = self.node("Remuda, Node", "remuda.mjs")?;
        self.once("the module for Node", || {
            let mut build = Command::new("node");
            build.arg(module.join("scripts/build.mjs"));
            must(build.env("REMUDA_NODE_PROFILE", PROFILE))
        })?;
        let module = module.display().to_string();
        host.env.insert("REMUDA_BENCH_MODULE".to_owned(), module);
        Ok(host)
    }
}

fn host(name: &'static str, program: PathBuf, words: &[&str]) -> Host {
    Host {
        name,
        program,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        env: BTreeMap::new(),
    }
}

fn present(path: &Path) -> Result<String, String> {
    if path.exists() {
        Ok(path.display().to_string())
    } else {
        Err(format!("{} is not there", path.display()))
    }
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What is measured is optimised as a whole.
    command.env("CARGO_INCREMENTAL", "0");
    command
}

/// Runs a program that must go well.
fn must(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(why) => Err(format!("{shown}: {why}")),
    }
}
