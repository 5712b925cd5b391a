//! A small client for the tests of the server.

use std::io::Read as _;

use model_api::ModelApi;
use serde_json::Value;

/// Goes into every request, and must never come out again.
pub(crate) const SECRET: &str = "do-not-record";

type Response = ureq::http::Response<ureq::Body>;

/// A response, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Whether the connection broke before the end.
    pub(crate) cut: bool,
    headers: ureq::http::HeaderMap,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// The events by name; those of an API without names have an empty one.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        for event in self.body.split_terminator("\n\n") {
            let (name, data) = event.split_once('\n').unwrap_or(("event: ", event));
            let name = name.strip_prefix("event: ").expect("a name");
            let data = data.strip_prefix("data: ").expect("data");
            let data: Value = serde_json::from_str(data).expect("JSON data");
            let kind = data["type"].as_str().unwrap_or_default();
            assert_eq!(kind, name, "the type repeats the name");
            events.push((name.to_owned(), data));
        }
        events
    }
}

pub(crate) fn names(answer: &Answer) -> Vec<String> {
    answer.events().into_iter().map(|(name, _)| name).collect()
}

/// Sends a request and leaves its response unread.
pub(crate) fn open(api: &ModelApi, path: &str, body: &Value) -> Response {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build();
    ureq::Agent::new_with_config(config)
        .post(format!("{}{path}", api.url()))
        .header("authorization", SECRET)
        .header("content-type", "application/json")
        .send(body.to_string())
        .expect("a response")
}

pub(crate) fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let mut bytes = Vec::new();
    let cut = body.into_reader().read_to_end(&mut bytes).is_err();
    Answer {
        status: parts.status.as_u16(),
        body: String::from_utf8(bytes).expect("UTF-8"),
        cut,
        headers: parts.headers,
    }
}

pub(crate) fn post(api: &ModelApi, path: &str, body: &Value) -> Answer {
    read(open(api, path, body))
}
