//! The text form of instructions: `name argument "quoted argument"`.
//!
//! One language for prompts (`[[exit 3]]`) and for script files (`"exit 3"`).
//! It is a view of the serde form of an enum, so every variant has it.

use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::action::Action;

/// A prompt, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// The whole text as the host wrote it.
    pub text: String,
    /// The instructions in it, in order.
    pub actions: Vec<Action>,
}

/// Finds the `[[…]]` instructions of a prompt. An instruction that is not
/// understood is an error: it is a slip in a test.
pub fn parse_prompt(text: &str) -> Result<Prompt, String> {
    let mut actions = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("[[") {
        let inside = &rest[start + 2..];
        let Some(end) = inside.find("]]") else { break };
        actions.push(parse::<Action>(&inside[..end])?);
        rest = &inside[end + 2..];
    }
    Ok(Prompt {
        text: text.to_owned(),
        actions,
    })
}

/// Names whose argument is all the text that follows.
const TEXT: &[&str] = &["say", "think", "follow-up", "raw", "prompt"];

/// What stands for arguments that were left out.
fn defaults(name: &str) -> Vec<Value> {
    match name {
        "words" => vec![json!(1), json!("word")],
        "tool" | "ask" => vec![json!("Bash"), json!("ls"), json!(0)],
        "forge" => vec![json!("Bash"), json!("ls")],
        "plan" => vec![json!(3)],
        "request" => vec![json!("_ping"), json!("{}")],
        "paced" => vec![json!(1000), json!(1000), json!(false)],
        "children" => vec![json!("plain"), json!(1)],
        "hopper" => vec![json!(1000), json!(5)],
        "interrupts" => vec![json!("ignore"), json!(0)],
        "noise" => vec![json!("all")],
        "read-slow" | "line" | "stderr" | "turn" => vec![json!(1)],
        "endless-line" => vec![json!(65536)],
        "model-error" => vec![json!(400)],
        "deep-json" => vec![json!(100_000)],
        "exit" => vec![json!(0)],
        _ => Vec::new(),
    }
}

/// Reads the text form of an enum value.
pub(crate) fn parse<T: DeserializeOwned>(phrase: &str) -> Result<T, String> {
    let not_understood =
        |why: &dyn std::fmt::Display| format!("instruction not understood: `{phrase}`: {why}");
    let phrase_text = phrase.trim();
    let (name, tail) = phrase_text
        .split_once(char::is_whitespace)
        .unwrap_or((phrase_text, ""));
    let mut values = if TEXT.contains(&name) && !tail.trim_start().starts_with('"') {
        vec![json!(tail)]
    } else {
        words(tail).map_err(|why| not_understood(&why))?
    };
    if name == "paced" {
        values.retain(|word| word != "per" && word != "second");
        for word in &mut values {
            if *word == "stamped" {
                *word = json!(true);
            }
        }
    }
    for value in defaults(name).into_iter().skip(values.len()) {
        values.push(value);
    }
    let whole = match values.len() {
        0 => json!(name),
        1 => json!({ name: values.remove(0) }),
        _ => json!({ name: values }),
    };
    serde_json::from_value(whole).map_err(|why| not_understood(&why))
}

/// Writes the text form of an enum value; `parse` reads it back.
pub(crate) fn write<T: Serialize>(value: &T) -> String {
    let (name, arguments) = match serde_json::to_value(value) {
        Ok(Value::String(name)) => (name, Vec::new()),
        Ok(Value::Object(members)) => match members.into_iter().next() {
            Some((name, Value::Array(values))) => (name, values),
            Some((name, value)) => (name, vec![value]),
            None => return String::new(),
        },
        Ok(_) | Err(_) => return String::new(),
    };
    let mut text = name;
    for argument in arguments {
        // Writing to a String cannot fail.
        let _ = write!(text, " {argument}");
    }
    text
}

/// Splits a text into words: bare numbers and booleans, JSON strings, bare strings.
fn words(text: &str) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            let value = stream
                .next()
                .ok_or("a quoted word that is empty")?
                .map_err(|why| why.to_string())?;
            rest = &rest[stream.byte_offset()..];
            found.push(value);
        } else {
            let (word, tail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            found.push(serde_json::from_str(word).unwrap_or_else(|_| json!(word)));
            rest = tail;
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

/// For `#[serde(with)]`: a value in its text form.
pub(crate) mod text {
    use serde::de::{DeserializeOwned, Error};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::write(value))
    }

    pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        super::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// For `#[serde(with)]`: a list of values in their text form.
pub(crate) mod texts {
    use serde::de::{DeserializeOwned, Error};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(super::write))
    }

    pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|phrase| super::parse(phrase).map_err(D::Error::custom))
            .collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::action::ChildKind;
    use crate::script::Trigger;

    #[test]
    fn a_prompt_gives_its_instructions_in_order() {
        let prompt =
            parse_prompt(r#"go [[words 5]] on [[tool Bash "ls -l"]] [[say two words]]"#).unwrap();
        assert_eq!(
            prompt.actions,
            [
                Action::Words(5, "word".to_owned()),
                Action::Tool("Bash".to_owned(), "ls -l".to_owned(), 0),
                Action::Say("two words".to_owned()),
            ]
        );
    }

    #[test]
    fn pacing_reads_as_a_sentence() {
        let prompt = parse_prompt("[[paced 1000 per second 5000 stamped]]").unwrap();
        assert_eq!(prompt.actions, [Action::Paced(1000, 5000, true)]);
    }

    #[test]
    fn an_unknown_instruction_is_an_error_that_names_it() {
        assert!(parse_prompt("[[explode]]").unwrap_err().contains("explode"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for action in [
            Action::Exit(3),
            Action::Hang,
            Action::Say("a \"quoted\" \n line".to_owned()),
            Action::Children(ChildKind::DoubleFork, 2),
            Action::Paced(1, 2, true),
        ] {
            assert_eq!(parse::<Action>(&write(&action)), Ok(action));
        }
        let trigger = Trigger::Prompt("in here".to_owned());
        assert_eq!(parse::<Trigger>(&write(&trigger)), Ok(trigger));
    }
}
