//! What a field of a line may hold, and how it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::provider::claude::wire::{
    CompactMetadata, ModelUsage, OutputDetails, Text, Tokens, parse,
};

/// What a field may hold. `None`: nothing, or something of another type.
///
/// A field is found first and read then, so that what cannot be read costs no other field. Its bytes may be many
/// megabytes: each type looks at them as seldom as it can.
pub(super) trait Field<'a>: Sized {
    fn of(raw: &'a RawValue) -> Option<Self>;
}

/// Reads a field, or nothing if it is of another type than expected.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Field<'de>,
{
    <&'de RawValue>::deserialize(deserializer).map(T::of)
}

impl<'a> Field<'a> for Text<'a> {
    fn of(raw: &'a RawValue) -> Option<Self> {
        let json = raw.get();
        let plain = json
            .strip_prefix('"')
            .and_then(|json| json.strip_suffix('"'));
        match plain {
            // It was found, so it holds nothing that no string may hold.
            Some(plain) if memchr::memchr(b'\\', plain.as_bytes()).is_none() => {
                Some(Self(Cow::Borrowed(plain)))
            }
            Some(_) => parse(json),
            None => None,
        }
    }
}

impl<'a> Field<'a> for &'a RawValue {
    fn of(raw: &'a RawValue) -> Option<Self> {
        (raw.get() != "null").then_some(raw)
    }
}

/// Fields that are small enough to be read twice.
macro_rules! parsed {
    ($($type:ty),* $(,)?) => {$(
        impl<'a> Field<'a> for $type {
            fn of(raw: &'a RawValue) -> Option<Self> {
                parse::<Option<Self>>(raw.get()).flatten()
            }
        }
    )*};
}

parsed! {
    bool, u32, u64, f64, IgnoredAny, Tokens, OutputDetails, CompactMetadata,
    BTreeMap<Text<'a>, Text<'a>>, BTreeMap<Text<'a>, ModelUsage>,
}

impl<'a, T: Deserialize<'a>> Field<'a> for Vec<T> {
    fn of(raw: &'a RawValue) -> Option<Self> {
        parse::<Option<Self>>(raw.get()).flatten()
    }
}
