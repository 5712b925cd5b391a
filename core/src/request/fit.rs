//! Whether an answer fits its question.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Error;
use crate::event::RawJson;
use crate::request::{Answer, Question, Scope};

/// Checks an answer of a kind that the question takes. `schema`: what content has to fit.
///
/// # Errors
///
/// [`crate::ErrorKind::InvalidArgument`], saying what does not fit.
pub(crate) fn check_fit(
    answer: &Answer,
    questions: &[Question],
    schema: Option<&RawJson>,
) -> Result<(), Error> {
    let refused = |why: String| Error::invalid("answer", why);
    match answer {
        Answer::Allow {
            scope,
            input: Some(input),
        } => {
            // The agent would keep the rule for what it had asked about, and not for this.
            if *scope != Scope::Once {
                return Err(refused("a changed input is allowed only once".into()));
            }
            object(input).map(drop).map_err(refused)
        }
        Answer::Answers { answers } => check_answers(answers, questions).map_err(refused),
        Answer::Content { content } => {
            let content = object(content).map_err(refused)?;
            check_content(&content, schema).map_err(refused)
        }
        Answer::Allow { input: None, .. } | Answer::Deny { .. } | Answer::Result { .. } => Ok(()),
    }
}

fn object(json: &RawJson) -> Result<Value, String> {
    let value = serde_json::from_str(json.get()).map_err(|e| e.to_string())?;
    match value {
        Value::Object(_) => Ok(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(format!("{value} is not an object"))
        }
    }
}

/// Questions may be left out, but not all.
fn check_answers(
    answers: &BTreeMap<String, Vec<String>>,
    questions: &[Question],
) -> Result<(), String> {
    if answers.is_empty() {
        return Err("no question is answered".to_owned());
    }
    for (id, texts) in answers {
        let Some(question) = questions.iter().find(|question| question.id == *id) else {
            let ids: Vec<_> = questions.iter().map(|question| &*question.id).collect();
            return Err(format!("{id:?} is none of the questions {ids:?}"));
        };
        check_texts(question, texts).map_err(|why| format!("{id:?}: {why}"))?;
    }
    Ok(())
}

fn check_texts(question: &Question, texts: &[String]) -> Result<(), String> {
    match texts {
        [] => return Err("there is no answer".to_owned()),
        [_] => {}
        [..] if question.several => {}
        [..] => return Err(format!("{} answers where one is asked for", texts.len())),
    }
    let choices = &question.choices;
    let free = question.free_text || choices.is_empty();
    for text in texts {
        if text.trim().is_empty() {
            return Err("an answer is empty".to_owned());
        }
        if !free && !choices.iter().any(|choice| choice.label == *text) {
            let labels: Vec<_> = choices.iter().map(|choice| &*choice.label).collect();
            return Err(format!("{text:?} is none of {labels:?}"));
        }
    }
    Ok(())
}

/// A schema that is none, which is the server's fault, holds nobody back.
fn check_content(content: &Value, schema: Option<&RawJson>) -> Result<(), String> {
    let schema = schema.and_then(|schema| serde_json::from_str(schema.get()).ok());
    let validator = schema.and_then(|schema: Value| jsonschema::validator_for(&schema).ok());
    let Some(validator) = validator else {
        return Ok(());
    };
    let faults: Vec<_> = validator
        .iter_errors(content)
        .take(3)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("it does not fit the schema: {}", faults.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::request::Choice;

    fn question(several: bool, free_text: bool) -> Question {
        let choices = ["a", "b"].map(|label| Choice {
            label: label.into(),
            ..Choice::default()
        });
        Question {
            id: "q".into(),
            choices: choices.into(),
            several,
            free_text,
            ..Question::default()
        }
    }

    fn answers(id: &str, texts: &[&str]) -> Answer {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        let answers = BTreeMap::from([(id.to_owned(), texts)]);
        Answer::Answers { answers }
    }

    fn refused(answer: &Answer, questions: &[Question], schema: Option<&str>) -> bool {
        let schema = schema.map(RawJson::from_text);
        let outcome = check_fit(answer, questions, schema.as_ref());
        if let Err(error) = &outcome {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
        outcome.is_err()
    }

    #[test]
    fn answers_name_questions_and_are_of_the_kind_that_is_asked_for() {
        let one = [question(false, false)];
        let several = [question(true, false)];
        let free = [question(false, true)];
        assert!(!refused(&answers("q", &["a"]), &one, None));
        assert!(!refused(&answers("q", &["a", "b"]), &several, None));
        assert!(!refused(&answers("q", &["my own"]), &free, None));
        let none = Answer::Answers {
            answers: BTreeMap::new(),
        };
        assert!(refused(&none, &one, None), "nothing is answered");
        assert!(
            refused(&answers("x", &["a"]), &one, None),
            "no such question"
        );
        assert!(refused(&answers("q", &[]), &one, None), "no text");
        assert!(refused(&answers("q", &[" "]), &free, None), "an empty text");
        assert!(refused(&answers("q", &["a", "b"]), &one, None), "too many");
        assert!(refused(&answers("q", &["c"]), &one, None), "no such choice");
        assert!(refused(&answers("q", &["a", "c"]), &several, None));
    }

    #[test]
    fn content_is_an_object_that_fits_the_schema() {
        let schema = Some(r#"{"type":"object","properties":{"n":{"type":"integer"}}}"#);
        let content = |text| Answer::Content {
            content: RawJson::from_text(text),
        };
        assert!(!refused(&content(r#"{"n":1}"#), &[], schema));
        assert!(
            !refused(&content(r#"{"n":"x"}"#), &[], None),
            "nothing to fit"
        );
        assert!(refused(&content(r#"{"n":"x"}"#), &[], schema));
        assert!(refused(&content("7"), &[], None));
    }

    #[test]
    fn a_changed_input_is_an_object_and_is_allowed_only_once() {
        let allow = |scope, text| Answer::Allow {
            scope,
            input: Some(RawJson::from_text(text)),
        };
        assert!(!refused(&allow(Scope::Once, "{}"), &[], None));
        assert!(refused(&allow(Scope::Once, "7"), &[], None));
        assert!(refused(&allow(Scope::Session, "{}"), &[], None));
        assert!(refused(&allow(Scope::Remember, "{}"), &[], None));
    }
}
