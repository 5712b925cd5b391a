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
    let archive = archive(&folder)?;
    println!("{}", archive.display());
    Ok(())
}

/// Packs a folder, beside it.
fn archive(folder: &Path) -> Result<PathBuf, String> {
    let (parent, name) = (folder.parent(), folder.file_name());
    let (Some(parent), Some(name)) = (parent, name) else {
        return Err("the archive has no name".to_owned());
    };
    let mut file = name.to_owned();
    file.push(".tar.gz");
    let archive = parent.join(file);
    let mut tar = Command::new("tar");
    // Whoever unpacks it as root must not be given files of a user of this machine.
    tar.args(["--owner=0", "--group=0", "--numeric-owner", "-czf"]);
    step("archive", tar.arg(&archive).arg(name).current_dir(parent))?;
    Ok(archive)
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
    write(&licences.join("THIRD-PARTY"), &third_party("remuda-ffi")?)?;
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
pub(crate) fn third_party(package: &str) -> Result<String, String> {
    let mut tree = cargo();
    tree.args([
        "tree",
        "--package",
        package,
        "--edges",
        "normal,no-proc-macro",
    ]);
    tree.args(["--prefix", "none", "--format", "{p}|{l}"]);
    let output = tree.output().map_err(|e| format!("cargo tree: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", output.status));
    }
    let listing = String::from_utf8_lossy(&output.stdout);
    let crates: BTreeSet<(&str, &str)> = listing.lines().filter_map(foreign).collect();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut summary = String::from("Crates that are part of this library, and their licences:\n\n");
    for (package, licence) in crates {
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

/// A crate from a registry, and its licence. Those of this project have their folder behind them.
fn foreign(line: &str) -> Option<(&str, &str)> {
    let (package, licence) = line.split_once('|')?;
    // Marks what was shown with its dependencies before.
    let licence = licence.strip_suffix(" (*)").unwrap_or(licence);
    (!package.contains('(')).then_some((package, licence))
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// What `tar` prints about an archive.
    fn listed(archive: &Path, how: &str) -> Vec<String> {
        let output = Command::new("tar").arg(how).arg(archive).output();
        let output = output.expect("tar lists");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_archive_has_these_files_and_no_others() {
        let folder = folder(true).expect("a folder");
        let archive = archive(&folder).expect("an archive");
        let version = env!("CARGO_PKG_VERSION");
        let name = folder.file_name().expect("a name").to_string_lossy();
        let prefix = format!("{name}/");
        let mut files: Vec<String> = listed(&archive, "-tzf")
            .iter()
            .map(|file| file.strip_prefix(&prefix).expect("one folder").to_owned())
            .filter(|file| !file.is_empty() && !file.ends_with('/'))
            .collect();
        files.sort();
        let whole = format!("lib/libremuda.so.{version}");
        let soname = format!("lib/libremuda.so.{ABI}");
        let mut wanted = [
            "include/remuda-options.schema.json",
            "include/remuda.h",
            "include/remuda.hpp",
            "lib/cmake/remuda/remuda-config-version.cmake",
            "lib/cmake/remuda/remuda-config.cmake",
            "lib/libremuda.a",
            "lib/libremuda.so",
            &soname,
            &whole,
            "lib/pkgconfig/remuda.pc",
            "share/doc/remuda/CHANGELOG.md",
            "share/doc/remuda/abi.md",
            "share/doc/remuda/events.md",
            "share/doc/remuda/examples/c/event_loop.c",
            "share/doc/remuda/examples/c/quickstart.c",
            "share/doc/remuda/examples/cpp/quickstart.cpp",
            "share/doc/remuda/examples/lua/quickstart.lua",
            "share/licenses/remuda/LICENSE-APACHE",
            "share/licenses/remuda/LICENSE-MIT",
            "share/licenses/remuda/THIRD-PARTY",
        ];
        wanted.sort_unstable();
        assert_eq!(files, wanted);
        let long = listed(&archive, "-tvzf");
        for link in [soname.as_str(), "lib/libremuda.so"] {
            let target = format!("{link} -> libremuda.so.{version}");
            assert!(long.iter().any(|line| line.ends_with(&target)), "{long:?}");
        }
        fs::remove_file(archive).expect("it is there");
    }

    #[test]
    fn a_licence_may_have_parentheses() {
        let line = "unicode v1.0.24|(MIT OR Apache-2.0) AND Unicode-3.0 (*)";
        let licence = "(MIT OR Apache-2.0) AND Unicode-3.0";
        assert_eq!(foreign(line), Some(("unicode v1.0.24", licence)));
        assert_eq!(foreign("remuda v0.1.0 (/somewhere/core)|MIT"), None);
    }

    #[test]
    fn what_is_packed_names_no_placeholder_and_every_crate_with_its_licence() {
        let folder = TempDir::new().expect("a folder");
        let built = folder.path().join("built");
        for file in ["libremuda.so", "libremuda.a"] {
            write(&built.join(file), "").expect("a file");
        }
        let lib = folder.path().join("lib");
        libraries(&built, &lib, "1.2.3").expect("a layout");
        for file in [
            "pkgconfig/remuda.pc",
            "cmake/remuda/remuda-config.cmake",
            "cmake/remuda/remuda-config-version.cmake",
        ] {
            let text = fs::read_to_string(lib.join(file)).expect("a file");
            assert!(!text.contains('@'), "{file}: {text}");
        }
        let licences = third_party("remuda-ffi").expect("the licences");
        for line in licences.lines().skip(2).take_while(|line| !line.is_empty()) {
            let (_, licence) = line.split_once(": ").expect("a crate and its licence");
            assert!(!licence.is_empty(), "{line}");
        }
        for part in ["tokio", "serde_json", "parking_lot"] {
            assert!(licences.contains(&format!("\n{part} ")), "{part}");
        }
    }
}
