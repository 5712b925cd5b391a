//! How turns and sessions end, as a test expects it.

use std::sync::Arc;

use remuda::{AskError, ErrorKind, Event, OnBusy, SendOptions, Session, Turn, TurnResult};

use crate::chance::bounded;
use crate::scene::Scene;
use crate::tape::Tape;

/// Options of a message that say what is to become of it when a turn runs.
#[must_use]
pub fn on_busy(on_busy: OnBusy) -> SendOptions {
    SendOptions {
        on_busy,
        ..SendOptions::default()
    }
}

/// Waits for the end of a turn, which comes.
///
/// # Panics
///
/// If it does not.
pub async fn end_of(turn: Turn) -> Result<TurnResult, AskError> {
    bounded("the end of a turn", turn.result()).await
}

/// A turn that is interrupted.
///
/// # Panics
///
/// If it ends otherwise, or not.
pub async fn is_interrupted(turn: Turn) {
    let end = end_of(turn).await.expect_err("it was interrupted");
    assert!(matches!(end, AskError::Interrupted { .. }), "{end:?}");
}

/// A turn that fails, with this code.
///
/// # Panics
///
/// If it ends otherwise, or not.
pub async fn fails(turn: Turn, code: ErrorKind) {
    let end = end_of(turn).await.expect_err("it failed");
    assert_eq!(end.kind(), Some(code));
}

/// A turn that goes well and says this.
///
/// # Panics
///
/// If it ends otherwise, or not.
pub async fn says(turn: Turn, text: &str) {
    assert_eq!(end_of(turn).await.expect("it goes well").text, text);
}

/// Ends a session and its pool, and gives all that happened, which was lawful.
///
/// # Panics
///
/// If it was not, or a question is open, or anything is left.
pub async fn finish(scene: Scene, session: Session, tape: Tape) -> Vec<Arc<Event>> {
    assert_eq!(session.snapshot().requests, []);
    drop(session);
    let events = tape.whole().await;
    scene.end().await;
    events
}
