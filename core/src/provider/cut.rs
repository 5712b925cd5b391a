//! The beginning of a line that is too long to be read.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// What stands whole in the beginning of a line of JSON: texts, numbers and truths, each by its
/// path, as in `params.turn.id` and `content.0.type`.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    found: BTreeMap<String, Value>,
    /// The members of the line itself, also one that is cut.
    members: Vec<String>,
}

impl Cut {
    /// Reads as far as it goes. Bytes that are no JSON give nothing.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut cut = Self::default();
        let walk = Walk {
            path: String::new(),
            cut: &mut cut,
        };
        // It ends in the middle: an error is how that shows.
        drop(walk.deserialize(&mut serde_json::Deserializer::from_slice(bytes)));
        cut
    }

    /// Whether the line has this member, as far as it goes.
    pub(crate) fn has(&self, member: &str) -> bool {
        self.members.iter().any(|known| known == member)
    }

    /// A text; an empty one if there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.get(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text, number or truth.
    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        self.found.get(path)
    }
}

/// What a line that was skipped would have been, for people.
pub(crate) fn unread(what: &str, size: usize) -> String {
    format!("{what} is a line of {size} bytes or more, longer than max_line")
}

struct Walk<'a> {
    path: String,
    cut: &'a mut Cut,
}

impl Walk<'_> {
    fn at(&mut self, name: &str) -> Walk<'_> {
        let path = if self.path.is_empty() {
            self.cut.members.push(name.to_owned());
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        Walk {
            path,
            cut: self.cut,
        }
    }

    fn keep(self, value: impl Into<Value>) {
        self.cut.found.insert(self.path, value.into());
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.keep(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.keep(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.keep(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.keep(value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.keep(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(self.at(&name))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while list
            .next_element_seed(self.at(&index.to_string()))?
            .is_some()
        {
            index += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"type":"user","n":7,"message":{"content":[{"id":"t","text":"long"}]}}"#;

    #[test]
    fn what_stands_whole_is_found_by_its_path_and_what_is_cut_is_not() {
        let head = Cut::read(&LINE.as_bytes()[..LINE.len() - 6]);
        assert_eq!(head.text("type"), "user");
        assert_eq!(head.get("n"), Some(&Value::from(7)));
        assert_eq!(head.text("message.content.0.id"), "t");
        assert_eq!(head.get("message.content.0.text"), None);
        assert!(head.has("message") && !head.has("content"));
    }

    #[test]
    fn no_cut_and_no_byte_does_any_harm() {
        for end in 0..=LINE.len() {
            Cut::read(&LINE.as_bytes()[..end]);
        }
        assert!(Cut::read(b"\xff{").found.is_empty());
        assert!(Cut::read(&[b'['; 1024]).found.is_empty());
    }
}
