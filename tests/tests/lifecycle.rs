//! Sessions, turns and slots, with the scripted agent.

use remuda::Pool;
use remuda_tests::{Scripted, isolated_async};

#[test]
fn a_turn_is_answered() {
    isolated_async(|| async {
        let agents = Scripted::claude();
        let pool = Pool::new().expect("a pool");
        let session = pool.open(agents.options()).expect("a session");
        let mut events = session.events(1);
        let result = session.ask("hello").await;
        println!("{result:?}");
        let result = session.ask("hello [[words 5]]").await;
        println!("{result:?}");
        println!("{:?}", pool.stats());
        println!("{:?}", session.closed().await);
        while let Some(event) = events.next().await {
            println!("{}", event.to_json().unwrap());
        }
    });
}
