//! What a host sends in a turn.

use std::fmt;
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
    /// A file, read when the message is sent. A relative path is taken from the session's directory.
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
            total += attachment.load()?;
            attachment.check(&called)?;
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

#[cfg(test)]
mod tests {
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
}
