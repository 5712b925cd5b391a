//! `cargo xtask dist`: the C library as a folder and an archive, to be unpacked anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{cargo, root, step};

/// The major version of the ABI, as in the SONAME. `ffi/tests/header.rs` compares it with the header.
const ABI: &str = "0";

/// Builds the library and packs it. Without `--dev` optimised, and as an archive as well.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let dev = match arguments {
        [] => false,
        [flag] if flag == "--dev" => true,
        _ => return Err("dist takes --dev or nothing".to_owned()),
    };
    let folder = folder(dev)?;
    println!("{}", folder.display());
    if dev {
        return Ok(());
    }
    let (parent, name) = (folder.parent(), folder.file_name());
    let (Some(parent), Some(name)) = (parent, name) else {
        return Err("the archive has no name".to_owned());
    };
    let mut archive = name.to_owned();
    archive.push(".tar.gz");
    step(
        "archive",
        Command::new("tar")
            .arg("-czf")
            .arg(parent.join(archive))
            .arg(name)
            .current_dir(parent),
    )
}

/// Builds the library and lays it out as it is installed.
pub(crate) fn folder(dev: bool) -> Result<PathBuf, String> {
    let mut making = cargo();
    making.args(["build", "--package", "remuda-ffi"]);
    if !dev {
        making.arg("--release");
    }
    step("library", &mut making)?;
    let target = root().join("target");
    let built = target.join(if dev { "debug" } else { "release" });
    let version = env!("CARGO_PKG_VERSION");
    let name = format!(
        "remuda-{version}-{}-{}",
        std::env::consts::ARCH,
        std::env::consts::OS
    );
    let folder = target
        .join(if dev { "dist-dev" } else { "dist" })
        .join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| at(&folder, &e))?;
    }
    libraries(&built, &folder.join("lib"), version)?;
    let include = ["remuda.h", "remuda.hpp", "remuda-options.schema.json"];
    copy_all(&root().join("include"), &include, &folder.join("include"))?;
    let docs = folder.join("share/doc/remuda");
    copy_all(&root().join("docs"), &["abi.md", "events.md"], &docs)?;
    copy_all(&root(), &["CHANGELOG.md"], &docs)?;
    for example in [
        "c/quickstart.c",
        "c/event_loop.c",
        "cpp/quickstart.cpp",
        "lua/quickstart.lua",
    ] {
        copy(
            &root().join("examples").join(example),
            &docs.join("examples").join(example),
        )?;
    }
    let licences = folder.join("share/licenses/remuda");
    copy_all(&root(), &["LICENSE-MIT", "LICENSE-APACHE"], &licences)?;
    write(&licences.join("THIRD-PARTY"), &third_party()?)?;
    Ok(folder)
}

/// The libraries under the names that linkers and loaders look for, and how they are found.
fn libraries(built: &Path, lib: &Path, version: &str) -> Result<(), String> {
    let whole = format!("libremuda.so.{version}");
    copy(&built.join("libremuda.so"), &lib.join(&whole))?;
    copy(&built.join("libremuda.a"), &lib.join("libremuda.a"))?;
    for (name, to) in [
        (format!("libremuda.so.{ABI}"), &whole),
        ("libremuda.so".to_owned(), &whole),
    ] {
        let link = lib.join(name);
        symlink(to, &link).map_err(|e| at(&link, &e))?;
    }
    let package = root().join("ffi/package");
    for (template, to) in [
        ("remuda.pc.in", "pkgconfig/remuda.pc"),
        ("remuda-config.cmake.in", "cmake/remuda/remuda-config.cmake"),
        (
            "remuda-config-version.cmake.in",
            "cmake/remuda/remuda-config-version.cmake",
        ),
    ] {
        let from = package.join(template);
        let text = fs::read_to_string(&from).map_err(|e| at(&from, &e))?;
        let text = text
            .replace("@VERSION@", version)
            .replace("@ABI@", ABI)
            .replace("@LICENSE@", env!("CARGO_PKG_LICENSE"))
            .replace("@REPOSITORY@", env!("CARGO_PKG_REPOSITORY"));
        write(&lib.join(to), &text)?;
    }
    Ok(())
}

/// The licences of all crates that are in the library, each text once.
fn third_party() -> Result<String, String> {
    let mut tree = cargo();
    tree.args(["tree", "--package", "remuda-ffi", "--edges", "normal"]);
    tree.args(["--prefix", "none", "--format", "{p}|{l}"]);
    let output = tree.output().map_err(|e| format!("cargo tree: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", output.status));
    }
    let listing = String::from_utf8_lossy(&output.stdout);
    let crates: BTreeSet<&str> = listing.lines().filter(|l| !l.contains('(')).collect();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut summary = String::from("Crates that are part of this library, and their licences:\n\n");
    for line in crates {
        let (package, licence) = line.split_once('|').unwrap_or((line, ""));
        let (name, version) = package.split_once(" v").unwrap_or((package, ""));
        let _ = writeln!(summary, "{name} {version}: {licence}");
        for text in licence_texts(name, version)? {
            texts
                .entry(text)
                .or_default()
                .push(format!("{name} {version}"));
        }
    }
    summary.push_str("The Rust standard library: MIT OR Apache-2.0\n");
    for (text, of) in texts {
        let _ = write!(summary, "\n{:=<80}\n{}\n\n{text}\n", "", of.join(", "));
    }
    Ok(summary)
}

/// The licence files of a crate's sources, which Cargo has fetched.
fn licence_texts(name: &str, version: &str) -> Result<Vec<String>, String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let sources = home.ok_or("no CARGO_HOME")?.join("registry/src");
    let registries = fs::read_dir(&sources).map_err(|e| at(&sources, &e))?;
    let mut texts = Vec::new();
    for registry in registries.flatten() {
        let folder = registry.path().join(format!("{name}-{version}"));
        for file in fs::read_dir(folder).into_iter().flatten().flatten() {
            let file_name = file.file_name().to_string_lossy().to_uppercase();
            let is_licence = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"]
                .iter()
                .any(|start| file_name.starts_with(start));
            if is_licence && let Ok(text) = fs::read_to_string(file.path()) {
                texts.push(text.trim().to_owned());
            }
        }
    }
    Ok(texts)
}

fn copy_all(from: &Path, names: &[&str], to: &Path) -> Result<(), String> {
    let copies = names
        .iter()
        .map(|name| copy(&from.join(name), &to.join(name)));
    copies.collect()
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    make_parent(to)?;
    fs::copy(from, to).map_err(|e| at(from, &e))?;
    Ok(())
}

fn write(to: &Path, text: &str) -> Result<(), String> {
    make_parent(to)?;
    fs::write(to, text).map_err(|e| at(to, &e))
}

fn make_parent(of: &Path) -> Result<(), String> {
    let parent = of.parent().unwrap_or(of);
    fs::create_dir_all(parent).map_err(|e| at(parent, &e))
}

fn at(path: &Path, why: &std::io::Error) -> String {
    format!("{}: {why}", path.display())
}
