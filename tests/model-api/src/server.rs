//! The server: connections, routes, and from a request to its response.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::api::{Api, Facts, Performance};
use crate::conversation::Conversation;
use crate::gemini::{self, Route};
use crate::out::{self, Body};
use crate::plan::{self, FaultCounts, Reply};
use crate::record::{ModelCall, Record, Request};
use crate::script::{self, Block, FaultKind, StatusFault};

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) record: Arc<Record>,
    faults: Mutex<FaultCounts>,
    latency: Duration,
    /// Keeps ids apart between servers: agents remember them across runs.
    origin: u128,
    responses: AtomicU64,
}

impl Shared {
    pub(crate) fn new(record: Arc<Record>, latency: Duration) -> Self {
        let origin = SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_nanos();
        Self {
            record,
            faults: Mutex::default(),
            latency,
            origin,
            responses: AtomicU64::new(0),
        }
    }

    fn next_id(&self) -> String {
        let number = self.responses.fetch_add(1, Ordering::Relaxed);
        format!("{:x}{number:04x}", self.origin)
    }
}

/// Serves connections until `stop` is dropped or fires.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stop: oneshot::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            _ = &mut stop => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        // Only speed is lost without it.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| respond(request, Arc::clone(&shared)));
            // A client that goes away and a scripted cut both end here.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn respond(
    request: hyper::Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(whole(StatusCode::BAD_REQUEST, &json!({}))),
    };
    let path = parts.uri.path().to_owned();
    let api = match (&parts.method, path.as_str()) {
        (&Method::POST, "/v1/messages") => Some(Api::Anthropic),
        (&Method::POST, "/v1/responses") => Some(Api::Responses),
        (&Method::POST, path) => match gemini::route(path) {
            Some(Route::Generate { .. }) => Some(Api::Gemini),
            Some(Route::CountTokens) | None => None,
        },
        _ => None,
    };
    let mut record = Request {
        method: parts.method.to_string(),
        path,
        header_names: parts.headers.keys().map(ToString::to_string).collect(),
        body_bytes: body.len(),
        call: None,
    };
    let Some(api) = api else {
        let response = other(&parts.method, &record.path, body.len());
        shared.record.add(record);
        return Ok(response);
    };
    let Ok(parsed) = serde_json::from_slice::<Value>(&body) else {
        shared.record.add(record);
        return Ok(mistake(api, "the request body is not JSON"));
    };
    let mut conversation = api.conversation(&parsed);
    // This API says in the path what the others say in the body.
    if let Some(Route::Generate { model, stream }) = gemini::route(&record.path) {
        model.clone_into(&mut conversation.model);
        conversation.stream = stream;
    }
    drop(parsed);
    record.call = Some(model_call(&conversation));
    shared.record.add(record);
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    Ok(model(api, conversation, body.len(), &shared).await)
}

fn model_call(conversation: &Conversation) -> ModelCall {
    ModelCall {
        model: conversation.model.clone(),
        stream: conversation.stream,
        prompts: conversation.prompts(),
        prompt: conversation.prompt().to_owned(),
        index: conversation.call(),
        tools: conversation
            .tools
            .iter()
            .map(|tool| tool.name.clone())
            .collect(),
        images: conversation.images,
        documents: conversation.documents,
        effort: conversation.effort.clone(),
        thinking_budget: conversation.thinking_budget,
        output_schema: conversation.output_schema,
    }
}

/// Everything but model calls: harmless answers.
fn other(method: &Method, path: &str, body_bytes: usize) -> Response<Body> {
    match (method, path) {
        (&Method::POST, "/v1/messages/count_tokens") => {
            whole(StatusCode::OK, &json!({"input_tokens": 1 + body_bytes / 4}))
        }
        // The two keys are what the two kinds of client look for.
        (&Method::GET, "/v1/models") => whole(
            StatusCode::OK,
            &json!({"object": "list", "data": [], "has_more": false, "models": []}),
        ),
        (&Method::POST, path) if gemini::route(path) == Some(Route::CountTokens) => {
            whole(StatusCode::OK, &json!({"totalTokens": 1 + body_bytes / 4}))
        }
        (&Method::HEAD, _) | (_, "/") => whole(StatusCode::OK, &json!({})),
        (_, path) if path.starts_with("/api/") => whole(StatusCode::OK, &json!({})),
        _ => whole(
            StatusCode::NOT_FOUND,
            &json!({"type": "error",
                "error": {"type": "not_found_error", "message": "no such route"}}),
        ),
    }
}

/// Answers a model call.
async fn model(
    api: Api,
    conversation: Conversation,
    body_bytes: usize,
    shared: &Arc<Shared>,
) -> Response<Body> {
    let reply = match script::parse(conversation.prompt()) {
        Err(message) => return mistake(api, &message),
        Ok(None) => Reply::Answer(plan::default_answer(conversation.prompts())),
        Ok(Some(script)) => {
            let (call, key) = (conversation.call(), conversation.key());
            let mut faults = shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
            plan::reply(script, call, key, &mut faults)
        }
    };
    let facts = Facts {
        id: shared.next_id(),
        input_tokens: 1 + body_bytes / 4,
    };
    let performance = match reply {
        Reply::Answer(blocks) => Performance::Answer(blocks),
        Reply::Exhausted => Performance::Answer(plan::exhausted_answer()),
        Reply::Fault(FaultKind::Status(fault)) => return status(api, &fault),
        Reply::Fault(FaultKind::Hang) => std::future::pending().await,
        Reply::Fault(FaultKind::Broken(broken)) => Performance::Broken(broken),
    };
    perform(api, conversation, facts, performance, shared).await
}

async fn perform(
    api: Api,
    conversation: Conversation,
    facts: Facts,
    performance: Performance,
    shared: &Arc<Shared>,
) -> Response<Body> {
    let (out, body) = out::stream(shared.record.activate());
    if let (Performance::Answer(blocks), false) = (&performance, conversation.stream) {
        tokio::time::sleep(Duration::from_millis(total_wait(&conversation, blocks))).await;
        let mut response = whole(StatusCode::OK, &api.whole(&conversation, &facts, blocks));
        add_headers(&mut response, api);
        return response;
    }
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    add_headers(&mut response, api);
    tokio::spawn(async move {
        // A client that went away ends the performance; nothing else can.
        let _ = api.play(&conversation, &facts, performance, &out).await;
    });
    response
}

/// What the pauses of a streamed answer add up to.
fn total_wait(conversation: &Conversation, blocks: &[Block]) -> u64 {
    let wait = |block: &Block| match block {
        Block::Wait { ms } => *ms,
        Block::Text(text) | Block::Thinking(text) if text.delay_ms > 0 => {
            let words = conversation.text(&text.source).split(' ').count() as u64;
            text.delay_ms * words.saturating_sub(1)
        }
        Block::Text(_)
        | Block::Thinking(_)
        | Block::RedactedThinking(_)
        | Block::Tool(_)
        | Block::Shell(_)
        | Block::Stop(_) => 0,
    };
    blocks.iter().map(wait).sum()
}

/// The response that a scripted HTTP error makes.
fn status(api: Api, fault: &StatusFault) -> Response<Body> {
    let scripted = format!("scripted error {}", fault.status);
    let message = fault.message.as_deref().unwrap_or(&scripted);
    let body = api.error(fault.status, fault.kind.as_deref(), message);
    let code = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = whole(code, &body);
    let headers = response.headers_mut();
    if let Some(seconds) = fault.retry_after {
        headers.insert("retry-after", HeaderValue::from(seconds));
    }
    for (name, value) in &fault.headers {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), text.parse()) {
            headers.insert(name, value);
        }
    }
    response
}

/// The response to a script that cannot be read: not retried, and visible.
fn mistake(api: Api, message: &str) -> Response<Body> {
    whole(StatusCode::BAD_REQUEST, &api.error(400, None, message))
}

fn whole(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Some(Bytes::from(body.to_string()))));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn add_headers(response: &mut Response<Body>, api: Api) {
    for (name, value) in api.headers() {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
}
