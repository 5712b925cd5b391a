//! Which session of a pool has which conversation.
//!
//! Two at a time would each write a history of their own into it. And when one was last begun or gone on
//! with: some agents lose it if that happens again soon.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::Error;
use crate::ids::SessionId;
use crate::session::Shared;

/// A conversation, among all providers.
type Key = (&'static str, String);

/// When a conversation was begun or gone on with is remembered for so long: longer than any has to rest.
const REMEMBERED: Duration = Duration::from_mins(10);

/// The conversations of the sessions that are open. Small locks, under which nothing is called.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    taken: Mutex<HashMap<Key, Taker>>,
    /// Bounded by how many can be begun in the time for which they are remembered.
    begun: Mutex<HashMap<Key, Instant>>,
}

impl Conversations {
    /// When a session of the pool, open or not, last began this conversation or went on with it, if that
    /// was not long ago.
    pub(crate) fn begun(&self, provider: &'static str, id: &str) -> Option<Instant> {
        let key = (provider, id.to_owned());
        self.begun.lock().get(&key).copied()
    }
}

#[derive(Clone, Debug)]
struct Taker {
    session: SessionId,
    shared: Weak<Shared>,
}

impl Taker {
    /// What a session has that is being closed, another one may have.
    fn is_open(&self) -> bool {
        let shared = self.shared.upgrade();
        shared.is_some_and(|shared| !shared.gate.is_closed())
    }
}

/// A session's right to its conversation. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Claim {
    all: Arc<Conversations>,
    provider: &'static str,
    taker: Taker,
    id: Option<String>,
}

impl Claim {
    /// The claim of a session that has no conversation yet.
    pub(crate) fn new(
        all: &Arc<Conversations>,
        provider: &'static str,
        shared: &Arc<Shared>,
    ) -> Self {
        Self {
            all: Arc::clone(all),
            provider,
            taker: Taker {
                session: shared.id,
                shared: Arc::downgrade(shared),
            },
            id: None,
        }
    }

    /// Takes this conversation instead of the one before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument), naming the open session that
    /// has it.
    pub(crate) fn take(&mut self, id: &str) -> Result<(), Error> {
        if self.id.as_deref() == Some(id) {
            return Ok(());
        }
        let key = (self.provider, id.to_owned());
        let mut closed = None;
        loop {
            let other = {
                let mut taken = self.all.taken.lock();
                let other = taken.get(&key).cloned();
                let Some(other) = other.filter(|other| Some(other.session) != closed) else {
                    taken.insert(key, self.taker.clone());
                    break;
                };
                other
            };
            if other.is_open() {
                let session = other.session;
                let why = format!("session {session} of this pool has that conversation");
                return Err(Error::invalid("resume", why));
            }
            closed = Some(other.session);
        }
        self.give_back();
        self.id = Some(id.to_owned());
        Ok(())
    }

    /// An agent has begun this conversation for the session, or gone on with it.
    pub(crate) fn begin(&self, id: &str, now: Instant) {
        let mut begun = self.all.begun.lock();
        begun.retain(|_, at| now.saturating_duration_since(*at) < REMEMBERED);
        begun.insert((self.provider, id.to_owned()), now);
    }

    fn give_back(&mut self) {
        let Some(id) = self.id.take() else { return };
        let mut taken = self.all.taken.lock();
        let key = (self.provider, id);
        // Another session may have it since this one was closed.
        if taken
            .get(&key)
            .is_some_and(|taker| taker.session == self.taker.session)
        {
            taken.remove(&key);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;
    use crate::error::ErrorKind;
    use crate::session::Opening;

    fn session() -> Arc<Shared> {
        Arc::new(Shared::new(Opening {
            id: SessionId::next(),
            log_bytes: 1 << 16,
            mode: Mode::Warm,
            options: Arc::default(),
        }))
    }

    #[test]
    fn a_conversation_is_had_by_one_open_session() {
        let all = Arc::<Conversations>::default();
        let (first, second) = (session(), session());
        let mut has = Claim::new(&all, "p", &first);
        let mut wants = Claim::new(&all, "p", &second);
        assert_eq!(has.take("a"), Ok(()));
        assert_eq!(has.take("a"), Ok(()), "its own");
        let error = wants.take("a").expect_err("it is taken");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let named = format!("resume: session {} of this pool", first.id);
        assert!(error.message().starts_with(&named), "{error}");
        assert_eq!(Claim::new(&all, "other", &second).take("a"), Ok(()));

        assert_eq!(has.take("b"), Ok(()), "it goes on with another one");
        assert_eq!(wants.take("a"), Ok(()));
        drop((has, wants));
        assert!(all.taken.lock().is_empty());
    }

    #[test]
    fn when_a_conversation_was_begun_is_known_after_its_session_and_not_for_ever() {
        let all = Arc::<Conversations>::default();
        let (session, now) = (session(), Instant::now());
        let mut claim = Claim::new(&all, "p", &session);
        claim.take("a").expect("it is free");
        assert_eq!(all.begun("p", "a"), None, "it is only wanted");
        claim.begin("a", now);
        drop(claim);
        assert_eq!(all.begun("p", "a"), Some(now));
        assert_eq!((all.begun("p", "b"), all.begun("other", "a")), (None, None));
        let later = now + REMEMBERED;
        Claim::new(&all, "p", &session).begin("b", later);
        assert_eq!(
            (all.begun("p", "a"), all.begun("p", "b")),
            (None, Some(later))
        );
    }

    #[test]
    fn a_session_that_is_closed_has_none_and_takes_none_back_with_it() {
        let all = Arc::<Conversations>::default();
        let (first, second) = (session(), session());
        let mut had = Claim::new(&all, "p", &first);
        had.take("a").expect("it is free");
        first.gate.close();
        let mut has = Claim::new(&all, "p", &second);
        assert_eq!(has.take("a"), Ok(()));
        drop(had);
        let third = session();
        assert!(Claim::new(&all, "p", &third).take("a").is_err());
        drop((has, second));
        assert_eq!(Claim::new(&all, "p", &third).take("a"), Ok(()));
    }
}
