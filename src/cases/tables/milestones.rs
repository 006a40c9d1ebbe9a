//! A set of milestones in a row.

use super::words::Milestone;
use serde::{Deserialize, Serialize};

/// A set of milestones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestones(u16);

impl Milestones {
    /// Whether a milestone is reached.
    pub const fn has(self, milestone: Milestone) -> bool {
        self.0 & (1 << milestone.place()) != 0
    }

    /// The same set with a milestone reached.
    #[must_use]
    pub(in crate::cases) const fn with(self, milestone: Milestone) -> Self {
        Self(self.0 | 1 << milestone.place())
    }
}
