//! The C ABI of Remuda.
//!
//! Every exported function has one shape: it unwraps its arguments, makes one call into core, writes its outputs, all
//! inside [`boundary::guard`]. Doc comments of what is exported are the C manual: cbindgen copies them into
//! `include/remuda.h`.
//!
//! - `boundary`, `sized`, `error`, `status`, `signals`, `text`: what every call needs.
//! - `registry`: from a pool's handle to the pool, or to the reason why not.
//! - `config`, `message`, `event`, `kind`: the structs and constants of the header.
//! - `pool`, `session`, `calls`, `queries`, `pull`: the exported functions.
//! - `host`, `seat`, `ready`, `held`, `push`: one reader for all sessions of a pool, pushed or pulled.
#![expect(non_camel_case_types, reason = "the header's names are C's")]

mod boundary;
pub mod calls;
pub mod config;
pub mod error;
pub mod event;
pub mod held;
mod herd;
pub mod host;
mod in_flight;
pub mod kind;
pub mod message;
mod message_options;
pub mod pool;
mod provoke;
pub mod pull;
mod push;
pub mod queries;
mod ready;
mod registry;
mod seat;
pub mod session;
mod signals;
mod sized;
pub mod status;
pub mod text;
