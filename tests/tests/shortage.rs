//! A machine that has no more of something: typed errors, and everything goes on when there is some
//! again.

use std::fs;

use remuda::{ErrorKind, EventKind, Pool};
use remuda_tests::{Scene, Tape, count, each_protocol, isolated};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sets what this process may have, does something, and takes the limit back.
fn limited<T>(resource: Resource, most: u64, act: impl FnOnce() -> T) -> T {
    let before = getrlimit(resource);
    let limit = Rlimit {
        current: Some(most),
        maximum: before.maximum,
    };
    setrlimit(resource, limit).expect("lower is allowed");
    let done = act();
    setrlimit(resource, before).expect("the maximum is as before");
    done
}

/// The memory that this process has mapped, in bytes.
fn mapped() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|kib| kib.parse::<u64>().ok())
        .expect("a number")
        << 10
}

#[test]
fn a_pool_for_which_there_are_no_threads_is_refused_and_leaves_none() {
    isolated(|| {
        // Room for some stacks, but not for all.
        let room = mapped() + (64 << 20);
        let pool = Pool::builder().threads(256);
        let refused = limited(Resource::As, room, || pool.build());
        let error = refused.expect_err("there are too few threads");
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().starts_with("no threads: "), "{error}");
        Pool::new().expect("a small one can be made");
    });
}

#[test]
fn a_turn_for_which_there_are_no_descriptors_fails_as_that_and_downgrades_nothing() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let open = fs::read_dir("/proc/self/fd").expect("/proc is there");
        let open = u64::try_from(open.count()).expect("few");
        let before = getrlimit(Resource::Nofile);
        let limit = Rlimit {
            current: Some(open),
            maximum: before.maximum,
        };
        setrlimit(Resource::Nofile, limit).expect("lower is allowed");
        let end = session.ask("one").await;
        setrlimit(Resource::Nofile, before).expect("the maximum is as before");
        let end = end.expect_err("there are no descriptors");
        assert_eq!(end.kind(), Some(ErrorKind::Shortage), "{end:?}");
        session.ask("two").await.expect("there are some again");
        assert_eq!(session.closed().await, [0; 0]);
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::Downgraded), 0);
        scene.end().await;
    });
}
