//! A host that is copied by fork: the copy has the library's memory, but none of its threads.

use std::time::{Duration, Instant};

use remuda::{Events, Hold, Pool, Session, Turn};
use remuda_tests::{PROTOCOLS, Scripted, fork, isolated_async, leave};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// How long a copy may take to drop a few things. One that hangs never ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a host holds.
struct Held {
    turn: Turn,
    events: Events,
    _hold: Hold,
    session: Session,
    pool: Pool,
}

impl Held {
    /// Copies this process, lets the copy drop everything, and waits for it.
    fn drop_in_a_copy(self) -> Self {
        let Some(pid) = fork() else {
            drop(self);
            leave();
        };
        let pid = Pid::from_raw(pid).expect("a process");
        let begun = Instant::now();
        while waitpid(Some(pid), WaitOptions::NOHANG)
            .expect("our child")
            .is_none()
        {
            if begun.elapsed() > PATIENCE {
                kill_process(pid, Signal::KILL).expect("our child");
                panic!("the copy hangs");
            }
            std::thread::yield_now();
        }
        self
    }
}

#[test]
fn a_copy_of_the_host_that_drops_everything_neither_hangs_nor_harms_the_original() {
    isolated_async(async || {
        for protocol in PROTOCOLS {
            let agents = Scripted::new(protocol);
            let pool = Pool::new().expect("a pool");
            let session = pool.open(agents.options()).expect("a session");
            let events = session.events(1);
            // The library is at work while the copies are made.
            let turn = session.send("[[flood 20000]]").expect("accepted");
            let mut held = Held {
                turn,
                events,
                _hold: session.hold(),
                session,
                pool,
            };
            held.turn.next().await.expect("it begins");
            let mut over = false;
            for _ in 0..100 {
                held = held.drop_in_a_copy();
                over |= held
                    .events
                    .try_next()
                    .is_some_and(|event| event.is_turn_end());
            }
            let Held {
                turn,
                mut events,
                _hold,
                session,
                pool,
            } = held;
            let (result, ()) = tokio::join!(turn.result(), async {
                // A flood that merged into few events may have been read to its end by now.
                while !over {
                    let event = events.next().await.expect("the turn has an end");
                    over = event.is_turn_end();
                }
            });
            result.expect("the turn is untouched");
            drop(events);
            session.ask("again").await.expect("so is the process");
            assert_eq!(pool.stats().processes_started, 1);
            let report = pool.shutdown(Duration::from_secs(30)).await;
            assert_eq!(report.closed, [session.id()]);
        }
    });
}
