//! How events reach the host: in order, whole, bounded, to any number of readers, however slow.

use std::sync::Arc;

use remuda::event::TurnOrigin;
use remuda::{Body, Event, EventKind, Events, Pool, Session};
use remuda_tests::{Scene, Tape, assert_lawful, each_protocol, hanging, resident};

/// All that waits for a reader now.
fn waiting(events: &mut Events) -> Vec<Arc<Event>> {
    std::iter::from_fn(|| events.try_next()).collect()
}

fn text_of(events: &[Arc<Event>]) -> String {
    let mut whole = String::new();
    for event in events {
        if let Body::TextDelta { text, .. } = &event.body {
            whole.push_str(text);
        }
    }
    whole
}

/// How much memory a flood may take beside the text itself: the log, what is read and decoded at a
/// time, and the allocator's slack. The flood's lines have more than 30 MiB.
const FLOOD_MEMORY: usize = 8 << 20;

#[test]
fn a_slow_reader_of_a_flood_gets_all_of_it_in_order_and_memory_stays_bounded() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().log_bytes(1 << 20));
        let session = scene.open();
        session.ask("[[flood 1000]]").await.expect("an answer");
        let before = resident();
        let mut turn = session
            .send("[[flood 200000]] [[say and the end]]")
            .expect("accepted");
        let (mut said, mut most, mut last) = (String::new(), 0, None);
        while let Some(event) = turn.next().await {
            if let Body::TextDelta { text, .. } = &event.body {
                // Slower than the agent, so that the log is full most of the time.
                most = most.max(resident().saturating_sub(before));
                said.push_str(text);
            }
            assert!(last.is_none_or(|e: Arc<Event>| e.seq < event.seq));
            last = Some(event);
        }
        let whole = format!("{}and the end", "flood ".repeat(200_000));
        assert!(said == whole, "{} bytes of {}", said.len(), whole.len());
        let last = last.expect("it ended");
        let Body::TurnCompleted { result } = &last.body else {
            panic!("{last:?}");
        };
        assert!(result.text == whole);
        assert!(most < FLOOD_MEMORY, "{} KiB more", most >> 10);
        drop(session);
        scene.end().await;
    });
}

/// More than any of the logs holds.
const FLOOD: usize = 100_000;

/// Lets another session do more than one that was given a flood before. What that has not done then,
/// it is kept from; no clock would tell.
async fn outrun(scene: &Scene) {
    let other = scene.open();
    let more = format!("[[flood {}]]", 2 * FLOOD);
    other.ask(more).await.expect("an answer");
}

#[test]
fn a_reader_that_stops_holds_the_agent_back_and_goes_on_without_loss() {
    each_protocol(async |protocol| {
        let bound = 256 << 10;
        let scene = Scene::new(protocol, Pool::builder().log_bytes(bound));
        let session = scene.open();
        let mut reader = session.events(1);
        let turn = session
            .send(format!("[[flood {FLOOD}]]"))
            .expect("accepted");
        // Nobody reads, so the log fills up and then nothing more comes: not even the end, in the time
        // in which another agent says twice as much.
        outrun(&scene).await;
        assert_eq!(session.snapshot().running, Some(turn.id()));
        let mut events = Vec::new();
        while !events.last().is_some_and(|e: &Arc<Event>| e.is_turn_end()) {
            events.push(reader.next().await.expect("an event"));
        }
        assert_eq!(text_of(&events).len(), FLOOD * "flood ".len());
        assert!(events.iter().map(|e| e.seq).eq(1..=events.len() as u64));
        drop((session, turn, reader));
        scene.end().await;
    });
}

#[test]
fn a_full_log_keeps_nobody_from_interrupting_or_closing() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().log_bytes(64 << 10));
        let session = scene.open();
        let reader = session.events(1);
        let turn = session
            .send(format!("[[flood {FLOOD}]]"))
            .expect("accepted");
        outrun(&scene).await;
        assert_eq!(session.snapshot().running, Some(turn.id()));
        turn.interrupt().await.expect("a receipt");
        session.close();
        turn.result()
            .await
            .expect_err("it was closed or interrupted");
        assert_eq!(session.closed().await, [0; 0]);
        drop((session, reader));
        scene.end().await;
    });
}

#[test]
fn a_turn_gives_the_events_of_the_session_that_are_its_own() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("before").await.expect("an answer");
        let mut turn = session
            .send_tagged("[[words 5]] [[tool Bash ls]] [[say done]]", Some(7))
            .expect("accepted");
        let id = turn.id();
        let mut own = Vec::new();
        while let Some(event) = turn.next().await {
            own.push(event);
        }
        assert!(turn.next().await.is_none(), "it stays over");
        session.ask("after").await.expect("an answer");
        session.close();
        let mut events = tape.whole().await;
        events.retain(|e| e.turn == Some(id));
        assert_eq!(text_of(&own), text_of(&events));
        let origin = TurnOrigin::Host;
        let tag = Some(7);
        assert_eq!(own[0].body, Body::TurnStarted { origin, tag });
        assert!(own.last().is_some_and(|e| e.is_turn_end()));
        drop((session, turn));
        scene.end().await;
    });
}

#[test]
fn a_result_needs_no_reader_and_is_there_after_the_end() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().log_bytes(64 << 10));
        let session = scene.open();
        // Far more than the log holds, and nobody reads it.
        let result = session.ask("[[bytes 1000000]]").await.expect("an answer");
        assert_eq!(result.text.len(), 1_000_000);
        let turn = session.send("short").expect("accepted");
        while session.snapshot().running.is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            turn.result().await.expect("an answer").text,
            "You said: short"
        );
        drop(session);
        scene.end().await;
    });
}

#[test]
fn whoever_has_a_result_finds_the_end_among_the_events() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let mut events = session.events(1);
        for n in 0..50 {
            session.ask(format!("turn {n}")).await.expect("an answer");
            let seen = waiting(&mut events);
            let ends = seen.iter().filter(|e| e.is_turn_end()).count();
            assert_eq!(ends, 1, "{seen:#?}");
        }
        drop(session);
        scene.end().await;
    });
}

#[test]
fn whoever_sees_the_end_may_send_the_next_turn() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        for n in 0..50 {
            let mut turn = session.send(format!("turn {n}")).expect("accepted");
            while turn.next().await.is_some() {}
        }
        drop(session);
        scene.end().await;
    });
}

#[test]
fn readers_replay_from_anywhere_and_then_read_live() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        session.ask("one").await.expect("an answer");
        let at = session.snapshot().next_seq;
        let mut early = session.events(1);
        let mut zero = session.events(0);
        let mut middle = session.events(3);
        let mut future = session.events(at + 2);
        session.ask("two").await.expect("an answer");
        session.close();
        let all = read(&mut early).await;
        assert_lawful(&all);
        assert_eq!(read(&mut zero).await, all);
        assert_eq!(read(&mut middle).await, all[2..]);
        let rest = usize::try_from(at).expect("small") + 1;
        assert_eq!(read(&mut future).await, all[rest..]);
        let mut after = session.events(1);
        assert_eq!(read(&mut after).await, all, "also when it is over");
        drop((session, early, zero, middle, future, after));
        scene.end().await;
    });
}

async fn read(events: &mut Events) -> Vec<Arc<Event>> {
    let mut all = Vec::new();
    while events.next_batch(&mut all).await {}
    all
}

#[test]
fn a_reader_that_comes_too_late_is_told_what_it_missed() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().log_bytes(64 << 10));
        let session = scene.open();
        for _ in 0..10 {
            session.ask("[[bytes 30000]]").await.expect("an answer");
        }
        let mut late = session.events(1);
        let seen = waiting(&mut late);
        let Body::Gap { first: 1, last } = seen[0].body else {
            panic!("a gap: {:?}", seen[0]);
        };
        assert_eq!(seen[0].seq, 0);
        let seqs: Vec<_> = seen[1..].iter().map(|e| e.seq).collect();
        assert!(
            seqs.iter()
                .copied()
                .eq(last + 1..session.snapshot().next_seq)
        );
        drop((session, late));
        scene.end().await;
    });
}

#[test]
fn dropping_a_turn_in_the_middle_changes_nothing_for_it() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let mut tape = Tape::of(&session);
        let turn = session
            .send("[[say here]] [[sleep-ms 50]] [[say there]]")
            .expect("accepted");
        tape.until_text("here").await;
        drop(turn);
        let end = tape.until("its end", Event::is_turn_end).await;
        assert_eq!(end.kind(), EventKind::TurnCompleted);
        let polled = hanging(&session).await;
        session.interrupt(polled.id()).await.expect("a receipt");
        drop(polled);
        tape.until("its end", Event::is_turn_end).await;
        drop(session);
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn readers_in_many_threads_see_the_same() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().log_bytes(64 << 10));
        let session: Session = scene.open();
        let readers: Vec<_> = (0..6)
            .map(|_| {
                let mut events = session.events(1);
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .expect("a runtime");
                    runtime.block_on(read(&mut events))
                })
            })
            .collect();
        for _ in 0..3 {
            session.ask("[[flood 20000]]").await.expect("an answer");
        }
        session.close();
        drop(session);
        let mut all = readers.into_iter().map(|r| r.join().expect("no panic"));
        let first = all.next().expect("a reader");
        assert_lawful(&first);
        assert!(all.all(|other| other == first));
        scene.end().await;
    });
}
