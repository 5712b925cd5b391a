//! What races are made of: numbers that look random, pauses too short for a timer, bounded waits.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use remuda::{Feature, capabilities_of};

use crate::isolated::isolated_async;
use crate::scene::PROTOCOLS;

/// How long anything may take that must end. Not a measure of speed: what hangs never ends.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a race is run.
#[must_use]
pub fn rounds() -> u64 {
    if std::env::var_os("REMUDA_TEST_QUICK").is_some() {
        200
    } else {
        1000
    }
}

/// Waits for something that must end.
///
/// # Panics
///
/// If it does not.
pub async fn bounded<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, future).await;
    ended.unwrap_or_else(|_| panic!("{what}: it hangs"))
}

/// The protocols whose warm agents can do this.
///
/// # Panics
///
/// If one of them is no provider's.
pub fn those_that(feature: Feature) -> impl Iterator<Item = &'static str> {
    PROTOCOLS.into_iter().filter(move |p| can(p, feature))
}

/// Runs a scenario once for each protocol whose warm agents can do this, apart from all other tests.
///
/// # Panics
///
/// If it does, hangs, or leaves anything behind.
pub fn each_that(feature: Feature, scenario: impl AsyncFn(&'static str)) {
    isolated_async(async || {
        for protocol in those_that(feature) {
            bounded(protocol, scenario(protocol)).await;
        }
    });
}

/// Whether a warm agent of this protocol can do this.
///
/// # Panics
///
/// If it is no provider's.
#[must_use]
pub fn can(protocol: &str, feature: Feature) -> bool {
    let table = capabilities_of(protocol).expect("a provider");
    table.get(&feature).is_some_and(|support| support.warm)
}

/// Numbers that look random and are the same for the same seed. `REMUDA_TEST_SEED` repeats a run.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Takes a seed from the environment or the clock, and prints it.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "shown only if the test fails")]
    pub fn new() -> Self {
        let given = std::env::var("REMUDA_TEST_SEED").ok();
        let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            u64::from(now.unwrap_or_default().subsec_nanos())
        });
        println!("REMUDA_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below `sides`. Splitmix.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % sides
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let place = self.roll(from.len() as u64);
        from[usize::try_from(place).expect("small")]
    }

    /// Other dice that follow from these.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self(self.roll(u64::MAX))
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}

/// Aims at a moment that comes some time after each start, and finds out how long that is.
#[derive(Debug)]
pub struct Aim {
    dice: Dice,
    /// How long it took of late.
    usual: Duration,
}

impl Aim {
    /// Aims with these dice.
    #[must_use]
    pub fn new(dice: Dice) -> Self {
        let usual = Duration::from_millis(1);
        Self { dice, usual }
    }

    /// Lets some time go by: none, or up to half more than it usually takes. Shorter than any timer
    /// can tell, so it looks at the clock and lets others run.
    pub async fn wait(&mut self, from: Instant) {
        let percent = self.dice.roll(150);
        let pause = self.usual * u32::try_from(percent).unwrap_or(0) / 100;
        while from.elapsed() < pause {
            tokio::task::yield_now().await;
        }
    }

    /// It took so long this time, undisturbed.
    pub fn took(&mut self, time: Duration) {
        self.usual = (self.usual * 7 + time.min(Duration::from_millis(50))) / 8;
    }
}
