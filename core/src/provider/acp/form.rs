//! Forms that the agent wants filled in, as questions to the user, and the answers as its content.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::request::{Choice, Question};

/// One field of a form.
#[derive(Clone, Debug)]
struct Field {
    id: String,
    kind: Kind,
    /// What is shown of each choice, and what is answered.
    choices: Vec<(String, Value)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Truth,
    List,
}

/// A form.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    fields: Vec<Field>,
}

impl Form {
    /// Reads a schema: the form, and what the user is asked. `title` stands over a single question.
    pub(super) fn read(schema: &Value, title: &str) -> (Self, Vec<Question>) {
        let mut form = Self::default();
        let mut questions = Vec::new();
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (id, property) in properties {
            let field = field(id, property);
            let text = |name: &str| property[name].as_str().unwrap_or_default().to_owned();
            let described = text("description");
            let choices = described_choices(property, &field);
            questions.push(Question {
                id: id.clone(),
                header: text("title"),
                text: if described.is_empty() {
                    title.to_owned()
                } else {
                    described
                },
                free_text: choices.is_empty(),
                choices,
                several: field.kind == Kind::List,
                secret: property["format"] == "password",
            });
            form.fields.push(field);
        }
        (form, questions)
    }

    /// The content that these answers are. What does not fit a field is left out.
    pub(super) fn content(&self, answers: &BTreeMap<String, Vec<String>>) -> Value {
        let mut content = Map::new();
        for field in &self.fields {
            let Some(texts) = answers.get(&field.id) else {
                continue;
            };
            let mut values = texts.iter().filter_map(|text| field.value(text));
            let value = match field.kind {
                Kind::List => Some(Value::Array(values.collect())),
                Kind::Text | Kind::Number | Kind::Truth => values.next(),
            };
            if let Some(value) = value {
                content.insert(field.id.clone(), value);
            }
        }
        Value::Object(content)
    }
}

impl Field {
    fn value(&self, text: &str) -> Option<Value> {
        if let Some((_, value)) = self.choices.iter().find(|(label, _)| label == text) {
            return Some(value.clone());
        }
        match self.kind {
            Kind::Text | Kind::List => Some(text.into()),
            Kind::Number => serde_json::from_str(text).ok().filter(Value::is_number),
            Kind::Truth => serde_json::from_str(text).ok().filter(Value::is_boolean),
        }
    }
}

fn field(id: &str, property: &Value) -> Field {
    let kind = match property["type"].as_str() {
        Some("number" | "integer") => Kind::Number,
        Some("boolean") => Kind::Truth,
        Some("array") => Kind::List,
        Some(_) | None => Kind::Text,
    };
    let one = if kind == Kind::List {
        &property["items"]
    } else {
        property
    };
    let named = ["oneOf", "anyOf"].map(|list| one[list].as_array());
    let named = named.into_iter().flatten().flatten();
    let named = named.filter_map(|choice| {
        let value = choice.get("const")?;
        let label = choice["title"].as_str().or_else(|| value.as_str())?;
        Some((label.to_owned(), value.clone()))
    });
    let plain = one["enum"].as_array().into_iter().flatten();
    let plain = plain.filter_map(|value| Some((value.as_str()?.to_owned(), value.clone())));
    let truths = [true, false].map(|truth| (truth.to_string(), Value::Bool(truth)));
    let truths = truths.into_iter().filter(|_| kind == Kind::Truth);
    Field {
        id: id.to_owned(),
        kind,
        choices: named.chain(plain).chain(truths).collect(),
    }
}

fn described_choices(property: &Value, field: &Field) -> Vec<Choice> {
    let listed = [
        &property["oneOf"],
        &property["items"]["anyOf"],
        &property["items"]["oneOf"],
    ];
    let description = |value: &Value| {
        let mut all = listed.iter().filter_map(|l| l.as_array()).flatten();
        let found = all.find(|c| c["const"] == *value)?;
        found["description"].as_str().map(str::to_owned)
    };
    let choices = field.choices.iter().map(|(label, value)| Choice {
        label: label.clone(),
        description: description(value).unwrap_or_default(),
    });
    choices.collect()
}
