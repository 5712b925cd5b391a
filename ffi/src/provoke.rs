//! The tests' way to a panic. Nothing in the library that hosts get.

/// Panics where the text is `panic`.
#[cfg(feature = "provoke")]
pub(crate) fn at(text: &str) {
    assert!(text != "panic", "provoked");
}

/// Does nothing.
#[cfg(not(feature = "provoke"))]
pub(crate) fn at(_: &str) {}
