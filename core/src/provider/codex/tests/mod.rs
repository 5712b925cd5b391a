//! What the codecs promise.

mod captures;
mod contract;
mod documents;
mod fuzz;
mod golden;
mod play;
mod start;
