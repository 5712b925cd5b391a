//! The codec against captures of both versions, and against nonsense.

mod captures;
mod events;
mod fuzz;
mod harness;
mod launching;
mod lines;
mod page;
mod requests;
mod speed;
