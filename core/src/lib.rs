//! Remuda.
