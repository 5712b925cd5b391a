//! What kinds of things can be attached, the same for every agent.

/// A kind of attachment. Which of them an agent takes its features say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// An image of a type that models see.
    Image,
    /// A PDF document.
    Document,
    /// Text in UTF-8.
    Text,
}

impl Media {
    /// The kind of a media type, in whatever case it is written. `None`: none that can be attached. Parameters
    /// have no place in it: text is UTF-8, and nothing else has any that matter.
    pub(crate) fn of(media_type: &str) -> Option<Self> {
        let lower = media_type.to_ascii_lowercase();
        match lower.as_str() {
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => Some(Self::Image),
            "application/pdf" => Some(Self::Document),
            "application/json" => Some(Self::Text),
            other => {
                let subtype = other.strip_prefix("text/")?;
                let good = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
                (!subtype.is_empty() && subtype.chars().all(good)).then_some(Self::Text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_one_of_a_few_in_any_case_and_without_parameters() {
        for (written, kind) in [
            ("image/png", Some(Media::Image)),
            ("IMAGE/WebP", Some(Media::Image)),
            ("image/svg+xml", None),
            ("image/bmp", None),
            ("image/png;base64,AAAA", None),
            ("image/png\"", None),
            ("image/", None),
            ("Application/PDF", Some(Media::Document)),
            ("application/json", Some(Media::Text)),
            ("application/zip", None),
            ("text/x-c++src", Some(Media::Text)),
            ("text/a b", None),
            ("text/plain; charset=latin1", None),
            ("text/", None),
            ("", None),
            ("png", None),
        ] {
            assert_eq!(Media::of(written), kind, "{written:?}");
        }
    }
}
