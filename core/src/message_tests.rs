//! What can be attached, and how it is read.

use super::*;

fn bytes(media_type: Option<&str>, name: Option<&str>, bytes: &[u8]) -> Attachment {
    Attachment {
        media_type: media_type.map(str::to_owned),
        name: name.map(str::to_owned),
        source: Source::Bytes(bytes.into()),
    }
}

fn load(attachments: &[Attachment], folder: &Path) -> Result<Message, Error> {
    let mut message = Message {
        attachments: attachments.to_vec(),
        ..Message::from("look")
    };
    message.load(folder).map(|()| message)
}

#[test]
fn what_no_agent_could_take_is_refused_by_name_or_number() {
    let good = bytes(Some("image/png"), None, b"x");
    for (bad, told) in [
        (
            bytes(Some("image/svg+xml"), None, b"x"),
            "number 2: \"image/svg+xml\"",
        ),
        (bytes(Some("image/png\",x"), Some("a"), b"x"), "a: "),
        (
            bytes(None, Some("a"), b"x"),
            "a: its media type is not known",
        ),
        (bytes(Some("image/png"), None, b""), "number 2: it is empty"),
        (
            bytes(Some("text/plain"), Some("a.txt"), b"\xff"),
            "a.txt: it is not UTF-8",
        ),
    ] {
        let error = load(&[good.clone(), bad], Path::new("/")).expect_err(told);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains(told), "{error}");
    }
}

#[test]
fn a_media_type_is_the_same_in_any_case() {
    let mut written = bytes(Some("Image/PNG"), None, b"x");
    assert!(written.is_image());
    written.media_type = Some("IMAGE/png".to_owned());
    let message = load(&[written], Path::new("/")).expect("it is an image");
    let media_type = message.attachments[0].media_type.as_deref();
    assert_eq!(media_type, Some("image/png"));
}

#[test]
fn a_relative_path_is_taken_from_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("notes.md"), "here").expect("a file");
    let attachment = Attachment {
        media_type: None,
        name: None,
        source: Source::Path("notes.md".into()),
    };
    let message = load(&[attachment], folder.path()).expect("it is there");
    let expected = bytes(Some("text/plain"), Some("notes.md"), b"here");
    assert_eq!(message.attachments, [expected]);
}

#[test]
fn an_output_schema_that_is_none_is_refused() {
    let mut message = Message {
        output_schema: Some(RawJson::from_text(r#"{"type":"strng"}"#)),
        ..Message::from("x")
    };
    let error = message.load(Path::new("/")).expect_err("no such type");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("output_schema"), "{error}");
}

fn load_file(path: impl Into<PathBuf>) -> Result<usize, Error> {
    let mut message = Message {
        attachments: vec![Attachment {
            media_type: Some("text/plain".to_owned()),
            name: None,
            source: Source::Path(path.into()),
        }],
        ..Message::default()
    };
    message.load(Path::new("/"))?;
    Ok(message.attachments[0].bytes().len())
}

#[test]
fn a_file_is_read_whole() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "four")?;
    assert_eq!(load_file(path), Ok(4));
    Ok(())
}

#[test]
fn what_is_no_regular_file_is_refused_and_never_waited_for() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let pipe = folder.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)?;
    for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
        let error = load_file(path).expect_err("it is no file");
        assert!(error.message().contains("not a regular file"), "{error}");
    }
    Ok(())
}

#[test]
fn a_file_larger_than_the_room_for_it_is_refused_whatever_size_it_tells() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("large");
    File::create(&path)?.set_len(MAX_ATTACHED + 1)?;
    assert_eq!(load_file(&path), Err(too_large()));
    let told = std::fs::metadata("/proc/self/status").map_or(0, |facts| facts.len());
    assert_eq!(told, 0, "the kernel tells no size");
    #[cfg(target_os = "linux")]
    assert_eq!(read(Path::new("/proc/self/status"), 10), Err(too_large()));
    Ok(())
}
