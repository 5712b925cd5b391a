//! How much memory this process uses. The only place here with `unsafe`.

use std::fmt;

/// The memory of this process, in bytes, when the allocator has given back what it could.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// What the program has allocated and not freed, through Rust and C alike.
    pub held: usize,
    /// What is resident: that, stacks, the program itself, and free memory that lies between what is
    /// in use.
    pub resident: usize,
}

impl Memory {
    /// Looks now.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    #[must_use]
    pub fn now() -> Self {
        Self {
            held: heap::held(),
            resident: resident(),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, resident } = self;
        write!(
            f,
            "{} KiB held, {} KiB resident",
            held >> 10,
            resident >> 10
        )
    }
}

/// What of this process is resident, in bytes.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc is there");
    let resident = pages.split_ascii_whitespace().nth(1).expect("a number");
    resident.parse::<usize>().expect("a number") * rustix::param::page_size()
}

#[cfg(target_env = "gnu")]
mod heap {
    /// Gives back what is free, and tells what is not.
    pub(super) fn held() -> usize {
        // SAFETY: it takes the allocator's own locks, and no pointer goes in or out.
        unsafe { libc::malloc_trim(0) };
        // SAFETY: as above; it only counts.
        let info = unsafe { libc::mallinfo2() };
        info.uordblks + info.hblkhd
    }
}

#[cfg(not(target_env = "gnu"))]
mod heap {
    /// Other allocators do not tell; what is resident says it less sharply.
    pub(super) fn held() -> usize {
        0
    }
}
