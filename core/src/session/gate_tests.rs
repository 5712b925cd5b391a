use super::*;

fn entry(text: &str) -> Entry {
    Entry {
        tag: None,
        message: Arc::new(text.into()),
        budget: Budget::default(),
    }
}

fn send(gate: &Gate, text: &str) -> Result<Entered, Error> {
    let entered = gate.enter(entry(text), false, None, |_, _| Some(()));
    entered.map(|(entered, ())| entered)
}

fn queue(gate: &Gate, text: &str) -> Result<Entered, Error> {
    let entered = gate.enter(entry(text), true, None, |_, _| Some(()));
    entered.map(|(entered, ())| entered)
}

fn done() -> End {
    End::Completed(TurnResult::default())
}

#[test]
fn one_turn_at_a_time_comes_in_and_none_after_the_close() {
    let gate = Gate::new(2);
    let Ok(Entered::Started { turn, end }) = send(&gate, "one") else {
        panic!("the gate is open");
    };
    let refused = send(&gate, "two").expect_err("a turn runs");
    assert_eq!(refused.kind(), ErrorKind::TurnInProgress);
    let (farewell, next) = gate.leave(turn, done()).expect("it ran");
    assert!(next.is_none());
    assert!(end.borrow().is_none(), "it is told later");
    assert!(matches!(send(&gate, "two"), Ok(Entered::Started { .. })));
    farewell.tell();
    assert!(end.borrow().is_some());
    assert!(gate.close());
    assert!(!gate.close());
    let refused = send(&gate, "three").expect_err("it is closed");
    assert_eq!(refused.kind(), ErrorKind::Closed);
}

#[test]
fn what_waits_comes_in_order_and_the_queue_is_bounded() {
    let gate = Gate::new(2);
    let Ok(Entered::Started { turn, .. }) = queue(&gate, "one") else {
        panic!("nothing runs yet");
    };
    let Ok(Entered::Queued {
        turn: second,
        position: 0,
        ..
    }) = queue(&gate, "two")
    else {
        panic!("it waits first");
    };
    let Ok(Entered::Queued {
        turn: third,
        position: 1,
        ..
    }) = queue(&gate, "three")
    else {
        panic!("it waits second");
    };
    let refused = queue(&gate, "four").expect_err("the queue is full");
    assert_eq!(refused.kind(), ErrorKind::TurnInProgress);
    let (_, next) = gate.leave(turn, done()).expect("it ran");
    assert_eq!(next.map(|n| n.turn), Some(second));
    let refused = send(&gate, "five").expect_err("the next one runs already");
    assert_eq!(refused.kind(), ErrorKind::TurnInProgress);
    let (_, next) = gate.leave(second, done()).expect("it ran");
    assert_eq!(next.map(|n| n.turn), Some(third));
}

#[test]
fn what_waits_can_be_changed_and_taken_out_until_it_begins() {
    let gate = Gate::new(2);
    let Ok(Entered::Started { turn, .. }) = send(&gate, "one") else {
        panic!("nothing runs yet");
    };
    let Ok(Entered::Queued { turn: second, .. }) = queue(&gate, "two") else {
        panic!("it waits");
    };
    gate.edit(second, Arc::new("changed".into()))
        .expect("it waits");
    assert_eq!(gate.look().queued[0].text, "changed");
    gate.cancel(second, drop).expect("it waits");
    let late = gate.cancel(second, drop).expect_err("it does not");
    assert_eq!(late.kind(), ErrorKind::Stale);
    assert_eq!(
        gate.edit(turn, Arc::new("x".into())).map_err(|e| e.kind()),
        Err(ErrorKind::Stale)
    );
    let (_, next) = gate.leave(turn, done()).expect("it ran");
    assert!(next.is_none());
}

#[test]
fn what_waits_when_the_door_closes_is_left_to_the_actor() {
    let gate = Gate::new(2);
    send(&gate, "one").expect("nothing runs yet");
    let Ok(Entered::Queued { turn, .. }) = queue(&gate, "two") else {
        panic!("it waits");
    };
    gate.close();
    let refused = gate.cancel(turn, drop).expect_err("it is closed");
    assert_eq!(refused.kind(), ErrorKind::Closed);
    let edited = gate.edit(turn, Arc::new("x".into()));
    assert_eq!(edited.map_err(|e| e.kind()), Err(ErrorKind::Closed));
    assert_eq!(gate.clear().len(), 1);
}

#[test]
fn an_actor_that_is_gone_leaves_no_turn_without_an_end() {
    let gate = Gate::new(1);
    let Ok(Entered::Started { end, .. }) = send(&gate, "one") else {
        panic!("nothing runs yet");
    };
    let Ok(Entered::Queued { end: queued, .. }) = queue(&gate, "two") else {
        panic!("it waits");
    };
    for abandoned in gate.abandon() {
        abandoned.farewell(done()).tell();
    }
    for end in [end, queued] {
        assert_eq!(*end.borrow(), Some(done()));
    }
    let refused = send(&gate, "three").expect_err("it is closed");
    assert_eq!(refused.kind(), ErrorKind::Closed);
}

#[test]
fn a_place_of_a_cancelled_message_is_free_when_the_actor_has_told_of_it() {
    let gate = Gate::new(1);
    send(&gate, "one").expect("nothing runs yet");
    let mut told = Vec::new();
    for _ in 0..CANCELLED {
        let Ok(Entered::Queued { turn, .. }) = queue(&gate, "two") else {
            panic!("nothing waits");
        };
        gate.cancel(turn, |turn| told.push(turn)).expect("it waits");
        assert_eq!(gate.look().queued, []);
    }
    let refused = queue(&gate, "three").expect_err("the actor has told of nothing");
    assert_eq!(refused.kind(), ErrorKind::TurnInProgress);
    let cancelled = gate.collect(told[0]).expect("it was cancelled");
    assert!(cancelled.cancelled);
    assert!(gate.collect(told[0]).is_none(), "once");
    assert!(matches!(
        queue(&gate, "three"),
        Ok(Entered::Queued { position: 0, .. })
    ));
}

#[test]
fn a_cancelled_message_never_begins() {
    let gate = Gate::new(2);
    let Ok(Entered::Started { turn, .. }) = send(&gate, "one") else {
        panic!("nothing runs yet");
    };
    let Ok(Entered::Queued { turn: second, .. }) = queue(&gate, "two") else {
        panic!("it waits");
    };
    gate.cancel(second, drop).expect("it waits");
    let (_, next) = gate.leave(turn, done()).expect("it ran");
    assert!(next.is_none());
    assert!(gate.collect(second).is_some());
}
