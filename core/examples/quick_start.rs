//! The quick start of the README. Needs a `claude` that is logged in, in `PATH`.
#![expect(clippy::print_stdout, reason = "an example speaks to its user")]

use std::time::Duration;

use remuda::{Body, Pool, SessionOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = Pool::builder().max_warm(2).build()?;
    let session = pool.open(SessionOptions::new("claude", "."))?;

    // The first turn starts the agent; later ones find it warm.
    let mut turn = session.send("Say hello in five words.")?;
    while let Some(event) = turn.next().await {
        if let Body::TextDelta { text, .. } = &event.body {
            print!("{text}");
        }
    }

    // Or only the result: how the turn ended, its text, its tokens, its times.
    let result = session.ask("And now in three.").await?;
    println!("\n{} ({} ms)", result.text, result.duration.as_millis());

    // Ends every process, and names what could not be ended.
    let report = pool.shutdown(Duration::from_secs(10)).await;
    println!("left: {:?}", report.left);
    Ok(())
}
