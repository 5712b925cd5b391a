//! `docs/events.md` is made from the types and the examples; this test fails when it is stale.
//! `REMUDA_UPDATE_DOCS=1 cargo test -p remuda-tests --test events_page` rewrites it.

mod examples;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use examples::EXAMPLES;
use remuda::{Event, EventKind};
use schemars::schema_for;
use serde_json::{Map, Value};

const INTRODUCTION: &str = "# Events

<!-- Made from the types. To rewrite it: REMUDA_UPDATE_DOCS=1 cargo test -p remuda-tests --test events_page -->

Everything that a host hears is an event. As JSON, the envelope and what happened are one flat object; `type` is the name
of the kind. The JSON Schema is `docs/schema/event.json`.

- Events of a session have `seq` 1, 2, 3 … without a gap, and arrive in this order.
- A turn begins with `turn_started` and has exactly one end: `turn_completed`, `turn_failed` or `turn_interrupted`.
- `session_closed` is the last event of a session.
- Numbers and names never change. New kinds and new members may come: ignore what you do not know.
- A member that may be null may also be left out: there is nothing to say.

";

#[test]
fn every_kind_has_one_example_that_reads_back_the_same() {
    let names: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    let examples: Vec<&str> = EXAMPLES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, examples);
    for (name, _, members) in EXAMPLES {
        let line = example(name, members);
        let event: Event = serde_json::from_str(&line).expect("an example is an event");
        assert_eq!(event.kind().name(), *name);
        let again = serde_json::to_value(&event).expect("an event is JSON");
        let given: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(again, given, "{name}");
    }
}

#[test]
fn the_page_is_that_of_the_types() {
    let schema = schema_for!(Event).to_value();
    let mut page = INTRODUCTION.to_owned();
    page += "## Envelope\n\n";
    members(&mut page, &schema, "");
    index(&mut page);
    let mut wanted = BTreeSet::new();
    for kind in EventKind::ALL {
        kind_section(&mut page, *kind, &schema, &mut wanted);
    }
    types(&mut page, &schema, wanted);
    remuda_tests::is_current("docs/events.md", &page, "REMUDA_UPDATE_DOCS");
}

/// The event that an example stands for, as one line.
fn example(name: &str, members: &str) -> String {
    let number = |names: &[&str]| names.contains(&name);
    let alone = number(&[
        "session_opened",
        "session_bound",
        "session_closed",
        "process_stopped",
        "evicted",
        "recycled",
        "downgraded",
        "restored",
        "gap",
    ]);
    let turn = if alone { "" } else { r#""turn":5,"# };
    let seq = match name {
        "gap" => 0,
        "session_opened" => 1,
        _ => 12,
    };
    let rest = members.trim_start_matches('{');
    let comma = if rest == "}" { "" } else { "," };
    format!(
        r#"{{"session":2,"seq":{seq},{turn}"time_unix_ns":1790000000000000000,"type":"{name}"{comma}{rest}"#
    )
}

fn index(page: &mut String) {
    *page += "\n## Kinds\n\n| number | name |\n|---|---|\n";
    for kind in EventKind::ALL {
        let name = kind.name();
        let _ = writeln!(page, "| {} | [`{name}`](#{name}) |", kind.number());
    }
}

fn kind_section(page: &mut String, kind: EventKind, schema: &Value, wanted: &mut BTreeSet<String>) {
    let name = kind.name();
    let body = variant(schema, name);
    let (_, when, example_members) = EXAMPLES
        .iter()
        .find(|(known, ..)| *known == name)
        .expect("every kind has an example");
    let _ = writeln!(page, "\n### {name}\n");
    let what = text(body);
    let _ = writeln!(page, "Number {}. {what} {when}\n", kind.number());
    members(page, body, "type");
    references(body, wanted);
    let _ = writeln!(page, "\n```json\n{}\n```", example(name, example_members));
}

/// The schema of the body of this name.
fn variant<'a>(schema: &'a Value, name: &str) -> &'a Value {
    let bodies = schema["oneOf"].as_array().expect("bodies");
    let found = bodies
        .iter()
        .find(|body| body["properties"]["type"]["const"] == name);
    found.unwrap_or_else(|| panic!("{name} has no schema"))
}

/// A table of an object's members, `without` one.
fn members(page: &mut String, object: &Value, without: &str) {
    let empty = Map::new();
    let properties = object["properties"].as_object().unwrap_or(&empty);
    let mut rows = properties.iter().filter(|(name, _)| *name != without);
    let Some(first) = rows.next() else {
        *page += "No members.\n";
        return;
    };
    *page += "| member | type | meaning |\n|---|---|---|\n";
    for (name, schema) in std::iter::once(first).chain(rows) {
        let _ = writeln!(
            page,
            "| `{name}` | {} | {} |",
            kind_of(schema),
            text(schema)
        );
    }
}

/// The type, for people.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return match name {
            "SessionId" | "TurnId" | "ProcessId" | "RequestId" => "integer".to_owned(),
            "RawJson" => "any JSON".to_owned(),
            _ => format!("[{name}](#{}-type)", name.to_lowercase()),
        };
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let choices: Vec<String> = choices.iter().map(kind_of).collect();
        return choices.join(" or ");
    }
    match &schema["type"] {
        Value::String(one) if one == "array" => format!("list of {}", kind_of(&schema["items"])),
        Value::String(one) => one.clone(),
        Value::Array(several) => {
            let names: Vec<&str> = several.iter().filter_map(Value::as_str).collect();
            names.join(" or ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "any JSON".to_owned(),
    }
}

/// A description on one line, without the links of the Rust documentation.
fn text(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let text = text.replace("[`ProcessGroup`](Self::ProcessGroup)", "`process_group`");
    let text = text
        .replace("[`Body::Gap`]", "`gap`")
        .replace("`None`", "absent");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Names of the types that a schema mentions.
fn references(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(path) => found.extend(path.rsplit('/').next().map(str::to_owned)),
                    None => references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A section for each type, with those that they mention themselves.
fn types(page: &mut String, schema: &Value, mut wanted: BTreeSet<String>) {
    let definitions = schema["$defs"].as_object().expect("definitions");
    loop {
        let known = wanted.len();
        for name in wanted.clone() {
            references(&definitions[&name], &mut wanted);
        }
        if wanted.len() == known {
            break;
        }
    }
    *page += "\n## Types\n";
    for name in &wanted {
        let definition = &definitions[name];
        if let Some(words) = definition["oneOf"].as_array() {
            let _ = writeln!(page, "\n### {name} type\n\n{}\n", text(definition));
            *page += "| word | meaning |\n|---|---|\n";
            for word in words {
                let value = word["const"].as_str().unwrap_or_default();
                let _ = writeln!(page, "| `{value}` | {} |", text(word));
            }
        } else if definition["properties"].is_object() {
            let _ = writeln!(page, "\n### {name} type\n\n{}\n", text(definition));
            members(page, definition, "");
        }
    }
}
