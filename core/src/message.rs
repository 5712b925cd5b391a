//! What a host sends in a turn.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::event::RawJson;

/// The most that all attachments of a message may hold, in bytes.
const MAX_ATTACHED: u64 = 32 << 20;

/// A message: text, and what is attached to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Message {
    /// The text.
    pub text: String,
    /// Images and files.
    pub attachments: Vec<Attachment>,
    /// A JSON Schema that the final answer must fit, for agents that can.
    pub output_schema: Option<RawJson>,
}

impl<T: Into<String>> From<T> for Message {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// Something attached to a message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Its media type: `image/png`, `image/jpeg`, `image/gif`, `image/webp`, `application/pdf`,
    /// `text/plain`. Default: by the ending of the path.
    #[serde(default)]
    pub media_type: Option<String>,
    /// Its name, for the model. Default: the path's last part.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it comes from.
    #[serde(flatten)]
    pub source: Source,
}

/// Where an attachment comes from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A regular file. It is read within the call that sends the message, which blocks for as long
    /// as the disk takes.
    Path(PathBuf),
    /// The bytes; in JSON as base64.
    #[serde(with = "base64_bytes")]
    #[schemars(with = "String")]
    Bytes(Arc<[u8]>),
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Attachment");
        out.field("media_type", &self.media_type)
            .field("name", &self.name);
        match &self.source {
            Source::Path(path) => out.field("path", path),
            Source::Bytes(bytes) => out.field("bytes", &bytes.len()),
        };
        out.finish()
    }
}

impl Attachment {
    /// Whether it is an image.
    #[must_use]
    pub fn is_image(&self) -> bool {
        self.media_type
            .as_deref()
            .is_some_and(|t| t.starts_with("image/"))
    }

    /// Reads it, at most `room` bytes, and completes what was left out, so that it stands for itself.
    fn load(&mut self, room: u64) -> Result<u64, Error> {
        if let Source::Path(path) = &self.source {
            let path = path.clone();
            let bytes = read(&path, room)?;
            if self.media_type.is_none() {
                self.media_type = media_type(&path).map(str::to_owned);
            }
            if self.name.is_none() {
                self.name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            }
            self.source = Source::Bytes(bytes.into());
        }
        if self.media_type.is_none() {
            return Err(Error::invalid("attachment", "its media type is not known"));
        }
        Ok(self.bytes().len() as u64)
    }

    /// The bytes, after `load`.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.source {
            Source::Bytes(bytes) => bytes,
            Source::Path(_) => &[],
        }
    }
}

impl Message {
    /// Reads what is attached by path. Blocks for as long as the disk takes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] naming the file, [`ErrorKind::TooLarge`].
    pub(crate) fn load(&mut self) -> Result<(), Error> {
        let mut total = 0;
        for attachment in &mut self.attachments {
            total += attachment.load(MAX_ATTACHED - total)?;
            if total > MAX_ATTACHED {
                return Err(too_large());
            }
        }
        Ok(())
    }
}

/// Reads a regular file of at most `room` bytes.
///
/// What is opened is what is looked at and read: the path may mean something else a moment later.
fn read(path: &Path, room: u64) -> Result<Vec<u8>, Error> {
    let fail =
        |why: &dyn fmt::Display| Error::invalid("attachment", format!("{}: {why}", path.display()));
    let mut options = File::options();
    options.read(true);
    // A pipe without a writer is opened at once, and then refused, instead of waiting for one.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    let file = options.open(path).map_err(|e| fail(&e))?;
    let facts = file.metadata().map_err(|e| fail(&e))?;
    if !facts.is_file() {
        return Err(fail(&"it is not a regular file"));
    }
    if facts.len() > room {
        return Err(too_large());
    }
    // The size is no promise: files of the kernel have none, and others grow.
    let mut bytes = Vec::new();
    file.take(room + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| fail(&e))?;
    if bytes.len() as u64 > room {
        return Err(too_large());
    }
    Ok(bytes)
}

fn too_large() -> Error {
    let most = MAX_ATTACHED >> 20;
    Error::new(
        ErrorKind::TooLarge,
        format!("attachments of more than {most} MiB"),
    )
}

fn media_type(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "pdf" => "application/pdf",
        "txt" | "md" | "rs" | "py" | "js" | "ts" | "c" | "h" | "cpp" | "json" | "toml" | "yaml"
        | "yml" | "csv" | "html" | "css" | "sh" | "log" => "text/plain",
        _ => return None,
    })
}

mod base64_bytes {
    use std::sync::Arc;

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Arc<[u8]>, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Arc<[u8]>, D::Error> {
        let text = String::deserialize(d)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(D::Error::custom)?;
        Ok(bytes.into())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn load(path: impl Into<PathBuf>) -> Result<usize, Error> {
        let mut message = Message {
            attachments: vec![Attachment {
                media_type: Some("text/plain".to_owned()),
                name: None,
                source: Source::Path(path.into()),
            }],
            ..Message::default()
        };
        message.load()?;
        Ok(message.attachments[0].bytes().len())
    }

    #[test]
    fn a_file_is_read_whole() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "four")?;
        assert_eq!(load(path), Ok(4));
        Ok(())
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_never_waited_for() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)?;
        for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
            let error = load(path).expect_err("it is no file");
            assert!(error.message().contains("not a regular file"), "{error}");
        }
        Ok(())
    }

    #[test]
    fn a_file_larger_than_the_room_for_it_is_refused_whatever_size_it_tells() -> std::io::Result<()>
    {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("large");
        File::create(&path)?.set_len(MAX_ATTACHED + 1)?;
        assert_eq!(load(&path), Err(too_large()));
        let told = std::fs::metadata("/proc/self/status").map_or(0, |facts| facts.len());
        assert_eq!(told, 0, "the kernel tells no size");
        #[cfg(target_os = "linux")]
        assert_eq!(read(Path::new("/proc/self/status"), 10), Err(too_large()));
        Ok(())
    }
}
