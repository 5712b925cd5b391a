//! Which lent processes are kept for later, under which names.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::Inside;

/// The kept processes of a pool. Each of them has a slot, so there are at most as many as slots, and those that
/// ended since the last look.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<HashMap<String, Vec<Inside>>>);

impl Shelf {
    /// Puts a process there, idle from now on. One that is over is dropped.
    pub(crate) fn put(&self, name: String, inside: Inside) {
        let mut kept = self.0.lock();
        kept.retain(|_, of_name| {
            of_name.retain(|inside| !inside.shared.is_over());
            !of_name.is_empty()
        });
        if inside.shared.rest(&inside.pool) {
            kept.entry(name).or_default().push(inside);
        }
    }

    /// Takes the one that was kept last under a name and still runs.
    pub(crate) fn take(&self, name: &str) -> Option<Inside> {
        let mut kept = self.0.lock();
        let of_name = kept.get_mut(name)?;
        let taken =
            std::iter::from_fn(|| of_name.pop()).find(|inside| inside.shared.work(&inside.pool));
        if of_name.is_empty() {
            kept.remove(name);
        }
        taken
    }

    /// How many run under a name.
    pub(crate) fn count(&self, name: &str) -> usize {
        let kept = self.0.lock();
        let of_name = kept.get(name).map_or(&[][..], Vec::as_slice);
        let running = of_name.iter().filter(|inside| !inside.shared.is_over());
        running.count()
    }

    /// Lets all of them go. Their processes end.
    pub(crate) fn clear(&self) {
        let kept = std::mem::take(&mut *self.0.lock());
        drop(kept);
    }
}
