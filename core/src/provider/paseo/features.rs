//! What the agent can do.

use crate::capabilities::{Feature, Support};

/// What does not stand here it cannot do by its program, whatever the agent behind it can.
pub(super) const FEATURES: &[(Feature, Support)] = &[
    (Feature::Resume, Support::ONE_SHOT),
    (Feature::Interrupt, Support::ONE_SHOT),
];
