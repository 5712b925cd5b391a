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
use crate::media::Media;
use crate::schema;

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
    /// A JSON Schema that the final answer must fit, for agents that can. An object's: its `type` is `object`,
    /// or is left out. The turn's result has the answer as `structured` if it fits; if it does not, the
    /// result has none, and a warning with the code `output_schema` says why.
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
    /// Its media type, without parameters: `image/png`, `image/jpeg`, `image/gif`, `image/webp`,
    /// `application/pdf`, `application/json`, or `text/` and anything. The last two are text in UTF-8.
    /// Default: by the ending of the path.
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
    /// A regular file. A relative path is taken from the session's directory. It is read within the
    /// call that sends the message, which blocks for as long as the disk takes.
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
            .is_some_and(|t| Media::of(t) == Some(Media::Image))
    }

    /// Takes a relative path from a folder.
    fn settle_path(&mut self, folder: &Path) {
        if let Source::Path(path) = &mut self.source {
            *path = folder.join(&*path);
        }
    }

    /// Whether it is something that can be attached, after `load`. `from` says where it came from.
    fn check(&mut self, from: &str) -> Result<(), Error> {
        let fail = |why: &str| Err(Error::invalid("attachment", format!("{from}: {why}")));
        let Some(media_type) = &mut self.media_type else {
            return fail("its media type is not known");
        };
        media_type.make_ascii_lowercase();
        let Some(media) = Media::of(media_type) else {
            return fail(&format!("{media_type:?} cannot be attached"));
        };
        if self.bytes().is_empty() {
            return fail("it is empty");
        }
        if media == Media::Text && std::str::from_utf8(self.bytes()).is_err() {
            return fail("it is not UTF-8");
        }
        Ok(())
    }

    /// What it is called in an error: the path, the name, or its place among the others.
    fn called(&self, index: usize) -> String {
        match (&self.source, &self.name) {
            (Source::Path(path), _) => path.display().to_string(),
            (Source::Bytes(_), Some(name)) => name.clone(),
            (Source::Bytes(_), None) => format!("number {index}"),
        }
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
    /// Checks what it asks for, and reads what is attached by path, relative to `folder`. Blocks for as
    /// long as that takes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] naming the file, or the attachment's number, or what is wrong with the
    /// schema; [`ErrorKind::TooLarge`].
    pub(crate) fn load(&mut self, folder: &Path) -> Result<(), Error> {
        if let Some(schema) = &self.output_schema {
            schema::check(schema)
                .map_err(|why| Error::invalid("output_schema", format!("the schema {why}")))?;
        }
        let mut total = 0;
        for (index, attachment) in self.attachments.iter_mut().enumerate() {
            attachment.settle_path(folder);
            let called = attachment.called(index + 1);
            total += attachment.load(MAX_ATTACHED - total)?;
            attachment.check(&called)?;
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

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
