//! The body of a response: events on their way to the client.
//!
//! A task writes events into an [`Out`], the connection reads them from the
//! [`Body`]. The channel is bounded, so a slow client slows the writer down.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::record::Active;
use crate::script::{Source, Text};

/// Events that may wait for a slow client.
const QUEUE: usize = 64;
/// A literal text longer than this streams in chunks, not in words.
const LONG: usize = 4096;
const CHUNK: usize = 1024;

/// The client went away; nothing is left to do.
#[derive(Debug)]
pub(crate) struct Gone;

/// Ends the connection in the middle of a response.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the script cuts the connection here")
    }
}

impl std::error::Error for Cut {}

/// The writing end of a streamed body. Dropping it ends the response in order.
pub(crate) struct Out {
    frames: mpsc::Sender<Result<Bytes, Cut>>,
}

/// The body of any response of this server.
pub(crate) enum Body {
    Whole(Option<Bytes>),
    Stream {
        frames: mpsc::Receiver<Result<Bytes, Cut>>,
        /// The cut is due at the next poll.
        cutting: bool,
        /// Held for the count of open streams.
        _active: Active,
    },
}

/// Makes a streamed body and the end that writes it.
pub(crate) fn stream(active: Active) -> (Out, Body) {
    let (sender, frames) = mpsc::channel(QUEUE);
    let body = Body::Stream {
        frames,
        cutting: false,
        _active: active,
    };
    (Out { frames: sender }, body)
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream { cutting: true, .. } => Poll::Ready(Some(Err(Cut))),
            Self::Stream {
                frames, cutting, ..
            } => match frames.poll_recv(context) {
                Poll::Ready(Some(Err(Cut))) => {
                    // An error discards what the connection has buffered; a
                    // pending body makes it flush first.
                    *cutting = true;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map(Frame::data))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Whole(bytes) => {
                hyper::body::SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Self::Stream { .. } => hyper::body::SizeHint::default(),
        }
    }
}

impl Out {
    /// Sends one server-sent event. An empty name is no name.
    pub(crate) async fn event(&self, name: &str, data: &Value) -> Result<(), Gone> {
        let frame = Bytes::from(match name {
            "" => format!("data: {data}\n\n"),
            name => format!("event: {name}\ndata: {data}\n\n"),
        });
        self.frames.send(Ok(frame)).await.map_err(|_| Gone)
    }

    /// Waits, but not for a client that went away.
    pub(crate) async fn pause(&self, ms: u64) -> Result<(), Gone> {
        if ms == 0 {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => Ok(()),
            () = self.frames.closed() => Err(Gone),
        }
    }

    /// Says nothing more until the client goes away.
    pub(crate) async fn silence(&self) -> Result<Infallible, Gone> {
        self.frames.closed().await;
        Err(Gone)
    }

    /// Cuts the connection, behind all events sent before.
    pub(crate) async fn cut(&self) -> Gone {
        // Either way no one listens afterwards.
        let _ = self.frames.send(Err(Cut)).await;
        Gone
    }

    /// Streams a text as events `name`, each made from one delta.
    pub(crate) async fn deltas(
        &self,
        name: &str,
        text: &str,
        manner: &Text,
        mut event: impl FnMut(&str) -> Value,
    ) -> Result<(), Gone> {
        for (index, delta) in Deltas::new(text, manner).enumerate() {
            if index > 0 {
                self.pause(manner.delay_ms).await?;
            }
            self.event(name, &event(delta)).await?;
        }
        Ok(())
    }
}

/// Cuts a text into what a model would send at a time.
pub(crate) struct Deltas<'a> {
    rest: &'a str,
    /// Bytes per delta; `None` is a word.
    chunk: Option<usize>,
}

impl<'a> Deltas<'a> {
    fn new(text: &'a str, manner: &Text) -> Self {
        let by_word = matches!(manner.source, Source::Words(_)) || text.len() <= LONG;
        let chunk = manner.chunk.or((!by_word).then_some(CHUNK));
        Self { rest: text, chunk }
    }
}

impl<'a> Iterator for Deltas<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = match self.chunk {
            Some(bytes) => self.rest.ceil_char_boundary(bytes),
            None => self.rest.find(' ').map_or(self.rest.len(), |at| at + 1),
        };
        let (delta, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(delta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::literal;

    fn deltas(text: &str, chunk: Option<usize>) -> Vec<&str> {
        let manner = Text {
            chunk,
            ..literal(String::new())
        };
        Deltas::new(text, &manner).collect()
    }

    #[test]
    fn a_short_text_streams_in_words() {
        assert_eq!(
            deltas("one two  three", None),
            ["one ", "two ", " ", "three"]
        );
    }

    #[test]
    fn chunks_never_cut_a_character() {
        assert_eq!(deltas("añb", Some(2)), ["añ", "b"]);
    }

    #[test]
    fn deltas_of_a_long_text_join_to_the_text() {
        let text = "long ".repeat(2000);
        let found = deltas(&text, None);
        assert!(found.len() < 20);
        assert_eq!(found.concat(), text);
    }
}
