//! What is left when the actor has nothing more to say: a tree that does not die, a start that does
//! not come.

use std::pin::Pin;

use tokio::time::Instant;

use crate::error::Error;
use crate::process::actor::until;
use crate::process::life::UNHEARD;
use crate::process::seam::{Control, Started, TreeEvent};

/// Sees to a tree that was given up, and to a start that was: until nothing is left, the lease is
/// not given back.
pub(super) async fn bury<C: Control, S>(
    spawn: Option<Pin<Box<S>>>,
    control: Option<C>,
    lease: Option<Box<dyn Send>>,
) where
    S: Future<Output = Result<Started<C>, Error>>,
{
    if lease.is_none() {
        return;
    }
    // What ran was killed with all means.
    let (control, mut force_at) = match (control, spawn) {
        (Some(control), _) => (Some(control), None),
        (None, Some(spawn)) => {
            let control = spawn.await.ok().map(|started| started.control);
            (control, Some(Instant::now() + UNHEARD))
        }
        (None, None) => (None, None),
    };
    if let Some(mut control) = control {
        control.kill();
        loop {
            // Cancel safe, says its contract; the deadline holds nothing.
            tokio::select! {
                event = control.next() => match event {
                    TreeEvent::Gone => break,
                    TreeEvent::Left(_) => force_at = None,
                    TreeEvent::Exited(_) => {}
                },
                () = until(force_at), if force_at.is_some() => {
                    force_at = None;
                    control.force();
                }
            }
        }
    }
    drop(lease);
}
