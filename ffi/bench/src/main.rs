//! What a piece of text costs the process of a host: a host in Rust, one in C to which events are pushed, one in C that
//! pulls them. What the C ABI adds is the difference.
//!
//! `cargo run --release -p remuda-ffi-bench`. Each host is a process of its own that plays one turn of the scripted agent; counted is
//! the time of all processors that it had from the send to the end of the turn, so neither the agent nor a start. The
//! hosts take turns, and of each the median counts: other load on the machine costs all of them the same.

#[cfg(unix)]
mod compare;
#[cfg(unix)]
mod rust_host;

#[cfg(unix)]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [name, agent, folder, prompt] if name == "rust" => rust_host::run(agent, folder, prompt),
        _ => compare::run(),
    }
}

#[cfg(not(unix))]
fn main() {}
