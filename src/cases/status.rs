//! The state machines of the room (rulings 2 and 3): pure tables, no rows.

use super::error::Illegal;
use super::tables::words::{HypothesisStatus, SolutionStatus, Status, ToolCallStatus};

impl Status {
    /// Whether the case has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Resolved | Self::Closed)
    }

    /// Where a case may go from here; only its owner may take one that has ended up again.
    pub const fn next(self, owner: bool) -> &'static [Self] {
        match self {
            Self::Consulting => &[Self::Investigating, Self::Closed],
            Self::Investigating => &[Self::Resolved, Self::Closed],
            Self::Resolved | Self::Closed if owner => &[Self::Investigating],
            Self::Resolved | Self::Closed => &[],
        }
    }

    /// The status in the words of contract 2.0.
    pub const fn state(self) -> &'static str {
        match self {
            Self::Consulting => "inquiry",
            other => other.as_str(),
        }
    }
}

impl HypothesisStatus {
    /// Where a hypothesis may go from here; only the case's owner may explore it anew.
    pub const fn next(self, owner: bool) -> &'static [Self] {
        match (self, owner) {
            (Self::Exploring, _) => &[Self::Testing],
            (Self::Testing, false) => &[Self::Validated, Self::Invalidated],
            (Self::Testing, true) => &[Self::Validated, Self::Invalidated, Self::Exploring],
            (Self::Validated | Self::Invalidated, true) => &[Self::Exploring],
            (Self::Validated | Self::Invalidated, false) => &[],
        }
    }
}

impl SolutionStatus {
    /// Where a solution may go from here.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Proposed => &[Self::Applying],
            Self::Applying => &[Self::Applied, Self::Failed],
            Self::Applied => &[],
            Self::Failed => &[Self::Proposed],
        }
    }
}

impl ToolCallStatus {
    /// Whether the call has ended.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Success | Self::Error)
    }

    /// Where a call may go from here.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Running, Self::Success, Self::Error],
            Self::Running => &[Self::Success, Self::Error],
            Self::Success | Self::Error => &[],
        }
    }
}

/// Describes a refused move with the legal ones.
pub(super) fn illegal<S: Copy>(
    from: S,
    to: S,
    next: &[S],
    name: impl Fn(S) -> &'static str,
) -> Illegal {
    let mut next = next.iter().map(|state| name(*state));
    Illegal { from: name(from), to: name(to), next: [next.next(), next.next(), next.next()] }
}
