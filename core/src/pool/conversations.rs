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

/// The conversations of the sessions that are open. Small locks, under which nothing is called.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    taken: Mutex<HashMap<Key, Taker>>,
    /// Those that have to rest, as long as they do: bounded by how many can be begun in that time.
    begun: Mutex<HashMap<Key, Begun>>,
}

impl Conversations {
    /// When a session of the pool, open or not, last began this conversation or went on with it, if it
    /// has to rest and may not have done.
    pub(crate) fn begun(&self, provider: &'static str, id: &str) -> Option<Instant> {
        let key = (provider, id.to_owned());
        self.begun.lock().get(&key).map(|begun| begun.at)
    }
}

#[derive(Debug)]
struct Begun {
    at: Instant,
    rested: Instant,
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
    /// How long the agent's conversations rest before they are gone on with in another process.
    rest: Duration,
    taker: Taker,
    id: Option<String>,
}

impl Claim {
    /// The claim of a session that has no conversation yet.
    pub(crate) fn new(
        all: &Arc<Conversations>,
        provider: &'static str,
        rest: Duration,
        shared: &Arc<Shared>,
    ) -> Self {
        Self {
            all: Arc::clone(all),
            provider,
            rest,
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
        if self.rest.is_zero() {
            return;
        }
        let mut begun = self.all.begun.lock();
        begun.retain(|_, begun| now < begun.rested);
        let rested = now + self.rest;
        begun.insert((self.provider, id.to_owned()), Begun { at: now, rested });
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

    const REST: Duration = Duration::from_secs(61);

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
        let mut has = Claim::new(&all, "p", REST, &first);
        let mut wants = Claim::new(&all, "p", REST, &second);
        assert_eq!(has.take("a"), Ok(()));
        assert_eq!(has.take("a"), Ok(()), "its own");
        let error = wants.take("a").expect_err("it is taken");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let named = format!("resume: session {} of this pool", first.id);
        assert!(error.message().starts_with(&named), "{error}");
        assert_eq!(Claim::new(&all, "other", REST, &second).take("a"), Ok(()));

        assert_eq!(has.take("b"), Ok(()), "it goes on with another one");
        assert_eq!(wants.take("a"), Ok(()));
        drop((has, wants));
        assert!(all.taken.lock().is_empty());
    }

    #[test]
    fn when_a_conversation_was_begun_is_known_after_its_session_and_not_for_ever() {
        let all = Arc::<Conversations>::default();
        let (session, now) = (session(), Instant::now());
        let mut claim = Claim::new(&all, "p", REST, &session);
        claim.take("a").expect("it is free");
        assert_eq!(all.begun("p", "a"), None, "it is only wanted");
        claim.begin("a", now);
        drop(claim);
        assert_eq!(all.begun("p", "a"), Some(now));
        assert_eq!((all.begun("p", "b"), all.begun("other", "a")), (None, None));
        let later = now + REST;
        Claim::new(&all, "p", REST, &session).begin("b", later);
        assert_eq!(
            (all.begun("p", "a"), all.begun("p", "b")),
            (None, Some(later))
        );
    }

    #[test]
    fn of_a_conversation_that_need_not_rest_nothing_is_kept() {
        let all = Arc::<Conversations>::default();
        let session = session();
        let mut claim = Claim::new(&all, "p", Duration::ZERO, &session);
        claim.take("a").expect("it is free");
        claim.begin("a", Instant::now());
        drop(claim);
        assert!(all.begun.lock().is_empty() && all.taken.lock().is_empty());
    }

    #[test]
    fn a_session_that_is_closed_has_none_and_takes_none_back_with_it() {
        let all = Arc::<Conversations>::default();
        let (first, second) = (session(), session());
        let mut had = Claim::new(&all, "p", REST, &first);
        had.take("a").expect("it is free");
        first.gate.close();
        let mut has = Claim::new(&all, "p", REST, &second);
        assert_eq!(has.take("a"), Ok(()));
        drop(had);
        let third = session();
        assert!(Claim::new(&all, "p", REST, &third).take("a").is_err());
        drop((has, second));
        assert_eq!(Claim::new(&all, "p", REST, &third).take("a"), Ok(()));
    }
}
