//! What is read and written, what is not, and that nothing leads out of the directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::*;

/// A directory that is served, and one beside it that is not.
struct Yard {
    _all: TempDir,
    inside: PathBuf,
    outside: PathBuf,
    folder: Folder,
}

impl Yard {
    fn new() -> Self {
        let all = TempDir::new().expect("a folder");
        let real = all.path().canonicalize().expect("a folder");
        let (inside, outside) = (real.join("inside"), real.join("outside"));
        fs::create_dir_all(inside.join("deep/er")).expect("folders");
        fs::create_dir(&outside).expect("a folder");
        fs::write(inside.join("a.txt"), "one\ntwo\nthree\n").expect("a file");
        fs::write(outside.join("secret"), "secret").expect("a file");
        let folder = Folder::new(&inside);
        Self {
            _all: all,
            inside,
            outside,
            folder,
        }
    }

    fn path(&self, name: &str) -> String {
        self.inside.join(name).to_string_lossy().into_owned()
    }

    fn reads(&self, name: &str) -> Result<String, Failure> {
        self.folder.read(&self.path(name), None, None)
    }

    fn writes(&self, name: &str) -> Result<(), Failure> {
        self.folder.write(&self.path(name), "new")
    }

    /// Neither is read or written, and neither names anything outside.
    fn leads_nowhere(&self, name: &str) {
        for failure in [
            self.folder.read(name, None, None).map(drop),
            self.folder.write(name, "new"),
        ] {
            let failure = failure.expect_err(name);
            assert_eq!(failure.why, Why::Refused, "{name}: {failure:?}");
        }
        assert_eq!(
            fs::read(self.outside.join("secret")).expect("it is there"),
            b"secret"
        );
        assert_eq!(fs::read_dir(&self.outside).expect("it is there").count(), 1);
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(&self.inside).expect("a folder").map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

/// Ends the other side of a race.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn refused(outcome: Result<impl std::fmt::Debug, Failure>, words: &str) {
    let failure = outcome.expect_err(words);
    assert_eq!(failure.why, Why::Refused, "{failure:?}");
    assert!(failure.message.contains(words), "{failure:?}");
}

#[test]
fn a_file_is_read_whole_or_by_its_lines() {
    let yard = Yard::new();
    assert_eq!(yard.reads("a.txt"), Ok("one\ntwo\nthree\n".to_owned()));
    let part = yard.folder.read(&yard.path("a.txt"), Some(2), Some(1));
    assert_eq!(part, Ok("two\n".to_owned()));
    assert_eq!(
        yard.folder.read("a.txt", Some(3), None),
        Ok("three\n".to_owned())
    );
    fs::write(yard.inside.join("empty"), "").expect("a file");
    assert_eq!(yard.reads("empty"), Ok(String::new()));
    assert_eq!(yard.reads("none").map_err(|f| f.why), Err(Why::Missing));
    assert_eq!(yard.reads("a.txt/b").map_err(|f| f.why), Err(Why::Missing));
}

#[test]
fn a_directory_has_every_name_that_leads_to_it() {
    let yard = Yard::new();
    let link = yard.outside.with_file_name("link");
    symlink(&yard.inside, &link).expect("a link");
    let folder = Folder::new(&link);
    for name in [&link, &yard.inside] {
        let path = name.join("a.txt");
        let read = folder.read(&path.to_string_lossy(), Some(1), Some(1));
        assert_eq!(read, Ok("one\n".to_owned()));
    }
    assert_eq!(folder.folder(None), Ok(yard.inside.join(".")));
}

#[test]
fn nothing_leads_out_of_the_directory() {
    let yard = Yard::new();
    let secret = yard.outside.join("secret");
    symlink(&secret, yard.inside.join("absolute")).expect("a link");
    symlink("../outside/secret", yard.inside.join("relative")).expect("a link");
    symlink("../outside", yard.inside.join("folder")).expect("a link");
    symlink("folder/../secret", yard.inside.join("twice")).expect("a link");
    symlink("around", yard.inside.join("around")).expect("a link");
    let named = [
        secret.to_string_lossy().into_owned(),
        "/etc/passwd".to_owned(),
        "../outside/secret".to_owned(),
        yard.path("../outside/secret"),
        yard.path("deep/../../outside/secret"),
        yard.path("absolute"),
        yard.path("relative"),
        yard.path("folder/secret"),
        yard.path("twice"),
        yard.path("around"),
        format!("{}-beside/secret", yard.inside.display()),
    ];
    for name in named {
        yard.leads_nowhere(&name);
    }
    refused(
        yard.folder.write(&yard.path("folder/new"), "new"),
        "outside",
    );
    refused(yard.folder.folder(Some("/")), "outside");
    refused(yard.folder.folder(Some(&yard.path("folder"))), "outside");
    refused(yard.folder.folder(Some("..")), "outside");
    assert!(!yard.outside.join("new").exists());
}

#[test]
fn a_link_that_stays_stands_for_what_it_names() {
    let yard = Yard::new();
    symlink("../a.txt", yard.inside.join("deep/link")).expect("a link");
    symlink("deep", yard.inside.join("short")).expect("a link");
    assert!(
        yard.reads("short/link")
            .is_ok_and(|text| text.starts_with("one"))
    );
    assert_eq!(yard.writes("short/link"), Ok(()));
    assert_eq!(yard.reads("a.txt"), Ok("new".to_owned()));
    let link = fs::symlink_metadata(yard.inside.join("deep/link")).expect("it is there");
    assert!(link.is_symlink(), "it is a link still");
    // A link to what is not there makes the file that it names.
    symlink("later", yard.inside.join("ahead")).expect("a link");
    assert_eq!(yard.writes("ahead"), Ok(()));
    assert_eq!(yard.reads("later"), Ok("new".to_owned()));
}

#[test]
fn only_regular_files_are_opened_and_nothing_is_waited_for() {
    let yard = Yard::new();
    let pipe = yard.inside.join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .expect("a pipe");
    let _socket = UnixListener::bind(yard.inside.join("socket")).expect("a socket");
    for name in ["pipe", "socket", "deep"] {
        refused(yard.reads(name), "");
        refused(yard.writes(name), "");
    }
    refused(yard.folder.read(".", None, None), "no regular file");
    refused(yard.folder.write(".", "new"), "names no file");
    let names = ["a.txt", "deep", "pipe", "socket"].map(str::to_owned);
    assert_eq!(yard.files(), names, "nothing was left beside them");
    // With somebody at the other end it would wait, or take what is not its own.
    let _reader = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .expect("a reader");
    refused(yard.writes("pipe"), "no regular file");
    refused(yard.reads("pipe"), "no regular file");
}

#[test]
fn a_file_is_replaced_whole_and_keeps_its_mode() {
    let yard = Yard::new();
    let file = yard.inside.join("a.txt");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o750)).expect("a mode");
    let before = fs::File::open(&file).expect("it is there");
    assert_eq!(yard.writes("a.txt"), Ok(()));
    let mode = fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o750);
    let mut old = String::new();
    std::io::Read::read_to_string(&mut &before, &mut old).expect("it is open");
    assert_eq!(
        old, "one\ntwo\nthree\n",
        "who had it open sees what was there"
    );
    assert_eq!(yard.writes("deep/new"), Ok(()));
    assert_eq!(yard.reads("deep/new"), Ok("new".to_owned()));
    assert_eq!(yard.files(), ["a.txt", "deep"].map(str::to_owned));
}

#[test]
fn no_folder_is_made_and_a_failure_leaves_nothing() {
    let yard = Yard::new();
    let failure = yard.writes("none/new").expect_err("there is no folder");
    assert_eq!(failure.why, Why::Missing);
    assert!(
        failure.message.ends_with("its folder is not there"),
        "{failure:?}"
    );
    // Root may write to it all the same.
    if !rustix::process::geteuid().is_root() {
        let file = yard.inside.join("a.txt");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).expect("a mode");
        refused(yard.writes("a.txt"), "may not");
    }
    assert_eq!(yard.files(), ["a.txt", "deep"].map(str::to_owned));
}

#[test]
fn what_is_too_long_or_no_text_is_refused() {
    let yard = Yard::new();
    let long = usize::try_from(MAX_TEXT).expect("small") + 1;
    fs::write(yard.inside.join("long"), vec![b'x'; long]).expect("a file");
    fs::write(yard.inside.join("fits"), vec![b'x'; long - 1]).expect("a file");
    fs::write(yard.inside.join("latin"), b"caf\xe9").expect("a file");
    refused(yard.reads("long"), "more than 4194304 bytes");
    refused(yard.reads("latin"), "no text in UTF-8");
    assert!(yard.reads("fits").is_ok_and(|text| text.len() == long - 1));
    let text = "x".repeat(long);
    refused(
        yard.folder.write(&yard.path("a.txt"), &text),
        "more than 4194304 bytes",
    );
    // What is long may be made short.
    assert_eq!(yard.writes("long"), Ok(()));
    assert_eq!(yard.reads("long"), Ok("new".to_owned()));
}

#[test]
fn a_folder_that_becomes_a_link_meanwhile_leads_nowhere() {
    let yard = Yard::new();
    fs::write(yard.inside.join("deep/secret"), "inside").expect("a file");
    let (deep, aside) = (yard.inside.join("deep"), yard.inside.join("aside"));
    symlink(&yard.outside, yard.inside.join("bait")).expect("a link");
    let bait = yard.inside.join("bait");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let swaps = [
                    (&deep, &aside),
                    (&bait, &deep),
                    (&deep, &bait),
                    (&aside, &deep),
                ];
                for (from, to) in swaps {
                    fs::rename(from, to).expect("they are there");
                }
            }
        });
        // Also if the rest panics: else it would wait for the other thread for ever.
        let _stops = Stops(&stop);
        for round in 0..2000 {
            if let Ok(text) = yard.reads("deep/secret") {
                assert_ne!(text, "secret", "round {round}");
            }
            drop(yard.folder.write(&yard.path("deep/secret"), "inside"));
        }
    });
    assert_eq!(
        fs::read(yard.outside.join("secret")).expect("it is there"),
        b"secret"
    );
    assert_eq!(fs::read_dir(&yard.outside).expect("it is there").count(), 1);
}

#[test]
fn a_directory_that_is_put_in_the_place_of_the_sessions_is_another_one() {
    let yard = Yard::new();
    assert!(yard.reads("a.txt").is_ok());
    fs::rename(&yard.inside, yard.inside.with_file_name("moved")).expect("it is there");
    symlink(&yard.outside, &yard.inside).expect("a link");
    assert_eq!(yard.reads("secret").map_err(|f| f.why), Err(Why::Missing));
    assert!(yard.reads("a.txt").is_ok(), "what it was is still there");
}
