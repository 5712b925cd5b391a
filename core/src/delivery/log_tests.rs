use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

fn delta(text: &str) -> Body {
    Body::TextDelta {
        text: text.to_owned(),
        parent: None,
    }
}

fn message(text: &str) -> Body {
    Body::Message {
        text: text.to_owned(),
        parent: None,
    }
}

fn log(limit: usize) -> Arc<Log> {
    Log::new(SessionId::next(), limit)
}

/// Everything there is for the reader now.
fn drain(log: &Log, reader: ReaderId) -> Vec<Arc<Event>> {
    let mut out = VecDeque::new();
    while log.try_take(reader, &mut out) {}
    out.into()
}

fn seqs(events: &[Arc<Event>]) -> Vec<u64> {
    events.iter().map(|e| e.seq).collect()
}

#[test]
fn readers_get_every_event_in_order_from_where_they_asked() {
    let log = log(1 << 20);
    let early = log.attach(1);
    log.append((0..5).map(|i| (None, message(&i.to_string()))));
    let late = log.attach(4);
    assert_eq!(seqs(&drain(&log, early)), [1, 2, 3, 4, 5]);
    assert_eq!(seqs(&drain(&log, late)), [4, 5]);
    log.append([(None, message("more"))]);
    assert_eq!(seqs(&drain(&log, early)), [6]);
    assert_eq!(seqs(&drain(&log, late)), [6]);
}

#[test]
fn deltas_merge_until_somebody_took_them() {
    let log = log(1 << 20);
    let reader = log.attach(1);
    log.append([(None, delta("a")), (None, delta("b"))]);
    log.append([(None, delta("c"))]);
    let events = drain(&log, reader);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].body, delta("abc"));
    drop(events);
    log.append([(None, delta("d"))]);
    let events = drain(&log, reader);
    assert_eq!(seqs(&events), [2], "a taken event does not change");
    assert_eq!(events[0].body, delta("d"));
}

#[test]
fn what_comes_after_a_reader_attached_reaches_it() {
    let log = log(1 << 20);
    log.append([(None, delta("before "))]);
    let reader = log.attach(log.next_seq());
    log.append([(None, delta("after"))]);
    let events = drain(&log, reader);
    assert_eq!(events[0].body, delta("after"));
}

#[test]
fn deltas_of_other_turns_parents_or_kinds_do_not_merge() {
    let log = log(1 << 20);
    let reader = log.attach(1);
    let (one, two) = (TurnId::next(), TurnId::next());
    let nested = Body::TextDelta {
        text: "n".into(),
        parent: Some("call".into()),
    };
    let thought = Body::ReasoningDelta {
        text: "r".into(),
        parent: None,
    };
    log.append([
        (Some(one), delta("a")),
        (Some(two), delta("b")),
        (Some(two), nested),
        (Some(two), thought),
    ]);
    assert_eq!(drain(&log, reader).len(), 4);
}

#[test]
fn what_no_reader_wants_makes_room_and_a_late_reader_is_told_of_the_gap() {
    let log = log(1024);
    log.append((0..100).map(|_| (None, message(&"x".repeat(100)))));
    assert!(log.has_room(), "nobody reads, so nothing is held back");
    let reader = log.attach(1);
    let events = drain(&log, reader);
    let Body::Gap { first, last } = events[0].body else {
        panic!("expected a gap, got {:?}", events[0]);
    };
    assert_eq!(first, 1);
    assert_eq!(events[1].seq, last + 1);
    assert_eq!(events.last().map(|e| e.seq), Some(100));
}

#[test]
fn a_slow_reader_fills_the_log_and_loses_nothing() {
    let log = log(1024);
    let slow = log.attach(1);
    let quick = log.attach(1);
    log.append((0..100).map(|_| (None, message(&"x".repeat(100)))));
    drain(&log, quick);
    assert!(!log.has_room());
    assert_eq!(drain(&log, slow).len(), 100);
    assert!(log.has_room());
}

#[test]
fn a_reader_that_leaves_holds_nothing_back() {
    let log = log(1024);
    let reader = log.attach(1);
    log.append((0..100).map(|_| (None, message(&"x".repeat(100)))));
    assert!(!log.has_room());
    log.detach(reader);
    assert!(log.has_room());
}

#[test]
fn a_reader_of_a_closed_log_ends_after_the_last_event() {
    let log = log(1024);
    let reader = log.attach(1);
    log.append([(None, message("last"))]);
    log.close();
    let mut out = VecDeque::new();
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(
        log.poll_take(reader, &mut out, &mut context),
        Poll::Ready(true)
    );
    assert_eq!(
        log.poll_take(reader, &mut out, &mut context),
        Poll::Ready(false)
    );
    assert_eq!(out.len(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Append(u8, u16),
    Read(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4_u8, 0..300_u16).prop_map(|(kind, size)| Step::Append(kind, size)),
        (0..3_u8).prop_map(Step::Read),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn each_reader_sees_the_whole_text_once_with_gapless_seq(steps in steps()) {
        let log = log(2048);
        let readers: Vec<_> = (0..3).map(|_| log.attach(1)).collect();
        let mut seen = vec![(String::new(), 0_u64); 3];
        let mut written = String::new();
        let read = |n: usize, seen: &mut Vec<(String, u64)>| {
            for event in drain(&log, readers[n]) {
                assert_eq!(event.seq, seen[n].1 + 1);
                seen[n].1 = event.seq;
                if let Body::TextDelta { text, .. } | Body::Message { text, .. } = &event.body {
                    seen[n].0.push_str(text);
                }
            }
        };
        for step in steps {
            match step {
                Step::Append(kind, size) => {
                    let text = char::from(b'a' + kind).to_string().repeat(size.into());
                    written.push_str(&text);
                    log.append([(None, if kind == 0 { message(&text) } else { delta(&text) })]);
                }
                Step::Read(n) => read(n.into(), &mut seen),
            }
        }
        for n in 0..3 {
            read(n, &mut seen);
            prop_assert_eq!(&seen[n].0, &written);
        }
        prop_assert!(log.has_room());
    }
}

fn end() -> Body {
    Body::TurnInterrupted {
        result: Box::default(),
    }
}

fn long(n: usize) -> Body {
    message(&format!("{n:0100}"))
}

/// Polls once. `Ready(false)`: nothing follows.
fn poll(log: &Log, reader: ReaderId, waker: &Waker) -> (Poll<bool>, Vec<Arc<Event>>) {
    let mut out = VecDeque::new();
    let polled = log.poll_take(reader, &mut out, &mut Context::from_waker(waker));
    (polled, out.into())
}

#[test]
fn a_reader_of_a_turn_ends_after_a_gap_that_swallowed_the_end() {
    let log = log(1024);
    let turn = TurnId::next();
    log.mark(turn);
    log.append([(Some(turn), message("x")), (Some(turn), end())]);
    log.append((0..100).map(|n| (None, long(n))));
    let reader = log.attach_to(turn, 1);
    let (polled, events) = poll(&log, reader, Waker::noop());
    assert_eq!(polled, Poll::Ready(true));
    assert_eq!(events[0].body, Body::Gap { first: 1, last: 2 });
    let (polled, events) = poll(&log, reader, Waker::noop());
    assert_eq!((polled, events), (Poll::Ready(false), vec![]));
}

#[test]
fn a_reader_of_a_turn_that_is_over_holds_nothing_back_and_loses_nothing_of_the_turn() {
    let log = log(8 << 10);
    let turn = TurnId::next();
    log.mark(turn);
    let reader = log.attach_to(turn, 1);
    log.append((0..10).map(|n| (Some(turn), long(n))));
    log.append([(Some(turn), end())]);
    log.append((0..500).map(|n| (None, long(n))));
    assert!(log.has_room());
    let mut all = Vec::new();
    loop {
        let (polled, events) = poll(&log, reader, Waker::noop());
        all.extend(seqs(&events));
        if polled == Poll::Ready(false) {
            break;
        }
    }
    assert!(all.iter().copied().eq(1..=11), "{all:?}");
    assert_eq!(log.state.lock().kept, 0);
}

#[test]
fn what_is_kept_for_turns_that_are_over_is_bounded_and_the_oldest_goes_first() {
    let limit = 8 << 10;
    let log = log(limit);
    let turns: Vec<_> = (0..10).map(|_| TurnId::next()).collect();
    let mut readers = Vec::new();
    for turn in &turns {
        log.mark(*turn);
        readers.push(log.attach_to(*turn, log.next_seq()));
        log.append((0..10).map(|n| (Some(*turn), long(n))));
        log.append([(Some(*turn), end())]);
    }
    log.append((0..500).map(|n| (None, long(n))));
    assert!(log.has_room());
    assert!(log.state.lock().kept <= limit);
    let first = &drain(&log, readers[0])[0];
    assert_eq!(first.body, Body::Gap { first: 1, last: 11 });
    let last = drain(&log, readers[9]);
    assert!(seqs(&last).into_iter().eq(100..=110), "{last:?}");
    for reader in readers {
        log.detach(reader);
    }
    assert_eq!(log.state.lock().kept, 0);
}

#[test]
fn who_reads_the_last_turn_slowly_loses_nothing_also_if_its_end_is_longer_than_the_log() {
    let log = log(1024);
    let turn = TurnId::next();
    log.mark(turn);
    let reader = log.attach_to(turn, 1);
    log.append((0..5).map(|n| (Some(turn), long(n))));
    let result = Box::new(crate::TurnResult {
        text: "x".repeat(8 << 10),
        ..crate::TurnResult::default()
    });
    log.append([(Some(turn), Body::TurnCompleted { result })]);
    assert!(seqs(&drain(&log, reader)).into_iter().eq(1..=6));
}

#[test]
fn a_log_is_backed_up_by_what_comes_while_it_is_full_and_not_by_what_filled_it() {
    let log = log(1024);
    let reader = log.attach(1);
    log.append([(None, message(&"x".repeat(4 * SURPLUS)))]);
    assert!(!log.has_room());
    assert!(!log.is_backed_up(), "one thing that the agent said");
    log.append([(None, message(&"x".repeat(SURPLUS / 2)))]);
    assert!(!log.is_backed_up());
    log.append([(None, message(&"x".repeat(SURPLUS / 2)))]);
    assert!(log.is_backed_up());
    drain(&log, reader);
    assert!(!log.is_backed_up());
}

struct Panics;

impl std::task::Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker of the host");
    }
}

#[derive(Default)]
struct Counts(std::sync::atomic::AtomicUsize);

impl std::task::Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_waker_that_panics_harms_neither_the_log_nor_the_others_that_wait() {
    let log = log(1024);
    let counts = Arc::<Counts>::default();
    let bad = Waker::from(Arc::new(Panics));
    let good = Waker::from(Arc::clone(&counts));
    for waker in [&bad, &good, &bad, &good] {
        let (polled, _) = poll(&log, log.attach(1), waker);
        assert_eq!(polled, Poll::Pending);
    }
    log.append([(None, message("x"))]);
    log.close();
    assert_eq!(counts.0.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[test]
fn a_merged_delta_keeps_no_more_room_than_it_uses() {
    let log = log(1 << 20);
    for _ in 0..3000 {
        log.append([(None, delta("12345678"))]);
    }
    let state = log.state.lock();
    let texts = state.ring.iter().filter_map(|event| {
        let Body::TextDelta { text, .. } = &event.body else {
            return None;
        };
        Some(text)
    });
    let whole: Vec<&String> = texts.collect();
    assert!(whole.len() > 1, "more than one is full");
    for text in &whole[..whole.len() - 1] {
        assert!(text.capacity() - text.len() <= SLACK, "{}", text.capacity());
    }
}
