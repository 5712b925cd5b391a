//! The way without the kernel's help: folder by folder. The rest is tested with the files.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;

use super::*;

#[test]
fn a_walk_goes_down_and_follows_nothing() {
    let all = tempfile::tempdir().expect("a folder");
    let inside = all.path().join("inside");
    fs::create_dir_all(inside.join("deep/er")).expect("folders");
    fs::write(inside.join("deep/er/file"), "text").expect("a file");
    fs::write(all.path().join("secret"), "secret").expect("a file");
    symlink("../secret", inside.join("link")).expect("a link");
    symlink("..", inside.join("up")).expect("a link");
    symlink("deep", inside.join("short")).expect("a link");
    let root = Root::open(&inside).expect("it is there");
    let open = |path: &str| {
        walk(
            &root.folder,
            Path::new(path),
            OFlags::RDONLY | OFlags::CLOEXEC,
        )
    };

    let mut text = String::new();
    let file = open("./deep/er/file").expect("it is there");
    File::from(file).read_to_string(&mut text).expect("text");
    assert_eq!(text, "text");
    assert!(open(".").is_ok() && open("").is_ok());
    for path in [
        "link",
        "up/secret",
        "short/er/file",
        "../secret",
        "deep/../deep",
        "/etc/passwd",
    ] {
        let error = open(path).expect_err(path);
        assert_ne!(error, Errno::NOENT, "{path}");
    }
    assert_eq!(open("none").err(), Some(Errno::NOENT));
}
