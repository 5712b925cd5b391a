//! The root of the guard's program. Compiled by the build script of `remuda`, not by Cargo.

#![no_std]
#![no_main]

mod guard;
mod protocol;

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    guard::run()
}

/// Ends the guard; the agent dies with it by its parent-death signal, and the host sees the socket close.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    guard::abandon()
}

/// Never called: nothing here unwinds. The compiled `core` names it where there is no link-time optimization.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
