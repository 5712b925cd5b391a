//! JSON Schemas that hosts give.

use serde_json::{Map, Value};

use crate::event::RawJson;

/// How many faults of a value are named.
const FAULTS: usize = 3;

/// The members of a schema that an object can fit, and nothing else.
///
/// # Errors
///
/// What is wrong with it, as the rest of a sentence about it.
pub(crate) fn of_object(schema: &RawJson) -> Result<Map<String, Value>, String> {
    let Ok(Value::Object(members)) = serde_json::from_str(schema.get()) else {
        return Err("is not an object".to_owned());
    };
    match members.get("type") {
        None => Ok(members),
        Some(kind) if kind == "object" => Ok(members),
        Some(kind) => Err(format!("has the type {kind}; it must be \"object\"")),
    }
}

/// Whether a schema for objects is one at all. Nothing that it refers to is fetched.
///
/// # Errors
///
/// As [`of_object`].
pub(crate) fn check(schema: &RawJson) -> Result<(), String> {
    compile(schema).map(|_| ())
}

/// Whether JSON fits a schema that was [checked](check).
///
/// # Errors
///
/// What does not fit, as the rest of a sentence about it.
pub(crate) fn fits(schema: &RawJson, json: &RawJson) -> Result<(), String> {
    let validator = compile(schema)?;
    let value = serde_json::from_str(json.get()).map_err(|e| format!("is no JSON: {e}"))?;
    let faults: Vec<_> = validator
        .iter_errors(&value)
        .take(FAULTS)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("does not fit the schema: {}", faults.join("; ")))
}

fn compile(schema: &RawJson) -> Result<jsonschema::Validator, String> {
    let schema = Value::Object(of_object(schema)?);
    jsonschema::validator_for(&schema).map_err(|fault| format!("is none: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_schema_that_an_object_can_fit_is_one() {
        for (text, good) in [
            ("{}", true),
            (
                r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#,
                true,
            ),
            (r#"{"anyOf":[{"type":"object"}]}"#, true),
            ("true", false),
            ("[]", false),
            (r#"{"type":"string"}"#, false),
            (r#"{"type":["object","null"]}"#, false),
            (
                r#"{"type":"object","properties":{"a":{"type":"interger"}}}"#,
                false,
            ),
            (r#"{"type":"object","required":"a"}"#, false),
            (r#"{"$ref":"https://example.org/schema.json"}"#, false),
        ] {
            let told = check(&RawJson::from_text(text));
            assert_eq!(told.is_ok(), good, "{text}: {told:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let schema = r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#;
        let schema = RawJson::from_text(schema);
        let told = |json: &str| fits(&schema, &RawJson::from_text(json));
        assert_eq!(told(r#"{"n":1}"#), Ok(()));
        let why = told(r#"{"n":"one"}"#).expect_err("it is a text");
        assert!(why.contains("/n: ") && why.contains("integer"), "{why}");
    }
}
