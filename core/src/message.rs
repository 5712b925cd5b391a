//! What a host sends in a turn.

use std::fmt;
use std::path::PathBuf;
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
    /// A file, read when the message is sent.
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

    /// Reads it and completes what was left out, so that it stands for itself.
    fn load(&mut self) -> Result<u64, Error> {
        if let Source::Path(path) = &self.source {
            let path = path.clone();
            let fail = |why: &dyn fmt::Display| {
                Error::invalid("attachment", format!("{}: {why}", path.display()))
            };
            let facts = std::fs::metadata(&path).map_err(|e| fail(&e))?;
            if !facts.is_file() {
                return Err(fail(&"it is not a file"));
            }
            if facts.len() > MAX_ATTACHED {
                return Err(too_large());
            }
            if self.media_type.is_none() {
                self.media_type = media_type(&path).map(str::to_owned);
            }
            if self.name.is_none() {
                self.name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            }
            let bytes = std::fs::read(&path).map_err(|e| fail(&e))?;
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
    /// Reads what is attached by path. Blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] naming the file, [`ErrorKind::TooLarge`].
    pub(crate) fn load(&mut self) -> Result<(), Error> {
        let mut total = 0;
        for attachment in &mut self.attachments {
            total += attachment.load()?;
            if total > MAX_ATTACHED {
                return Err(too_large());
            }
        }
        Ok(())
    }
}

fn too_large() -> Error {
    let most = MAX_ATTACHED >> 20;
    Error::new(
        ErrorKind::TooLarge,
        format!("attachments of more than {most} MiB"),
    )
}

fn media_type(path: &std::path::Path) -> Option<&'static str> {
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
