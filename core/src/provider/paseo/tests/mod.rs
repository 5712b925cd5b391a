//! Tests of the provider, without its agent. That one is played in `tests/tests/stand_in_paseo.rs`.

mod captures;
mod fuzz;
mod launching;
mod page;
mod play;
mod turns;
