//! The closed vocabularies of the room. On disk a word is its position: append, never reorder.

use crate::engine::db::{Key, KeyBuf};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What a report is (seed 8.4). Names of other clients (reference facts 6) are accepted for the
/// type that comes closest.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ReportType {
    /// What happened, why, and what follows.
    #[serde(alias = "incident_report")]
    PostMortem,
    /// How to deal with it the next time.
    Runbook,
    /// Figures over many cases.
    Analytics,
    /// How the investigation went.
    #[serde(alias = "resolution_summary", alias = "closure_summary")]
    Summary,
    /// Patterns over many cases.
    Trend,
}

impl ReportType {
    /// Every type, in the order of the contract.
    pub const ALL: [Self; 5] =
        [Self::PostMortem, Self::Runbook, Self::Analytics, Self::Summary, Self::Trend];

    /// The type on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PostMortem => "post_mortem",
            Self::Runbook => "runbook",
            Self::Analytics => "analytics",
            Self::Summary => "summary",
            Self::Trend => "trend",
        }
    }

    /// Whether one case has what such a report needs.
    pub const fn is_of_one_case(self) -> bool {
        matches!(self, Self::PostMortem | Self::Runbook | Self::Summary)
    }

    /// The type as a title begins.
    pub(super) const fn heading(self) -> &'static str {
        match self {
            Self::PostMortem => "Post-mortem",
            Self::Runbook => "Runbook",
            Self::Analytics => "Analytics",
            Self::Summary => "Investigation summary",
            Self::Trend => "Trend",
        }
    }

    /// The type's place on disk.
    pub(super) const fn place(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for ReportType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Key for ReportType {
    fn append(&self, to: KeyBuf) -> KeyBuf {
        to.u8(self.place())
    }
}

/// Where a report stands (ruling 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportStatus {
    /// As it was generated; nobody vouches for it yet.
    Draft,
    /// Somebody vouches for it.
    Published,
    /// Put away.
    Archived,
}

impl ReportStatus {
    /// The status on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Archived => "archived",
        }
    }

    /// Where a report may go from here.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Draft => &[Self::Published],
            Self::Published => &[Self::Archived],
            Self::Archived => &[],
        }
    }
}
