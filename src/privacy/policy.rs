//! What an operator may switch off.

use super::Kind;
use serde::{Deserialize, Serialize};

/// Which IP addresses count as personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Addresses {
    /// None: all stay readable.
    None,
    /// Addresses of the public internet. Private, loopback and link-local ones name machines of
    /// the operator, not people, and are what a network fault is read from.
    #[default]
    Public,
    /// All, also private ones.
    All,
}

/// What to redact. Secrets are always redacted; the default redacts everything else that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// E-mail addresses, telephone, card, account, social security, licence, passport numbers.
    pub personal: bool,
    /// Which IP addresses.
    pub addresses: Addresses,
    /// Hardware addresses.
    pub mac: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { personal: true, addresses: Addresses::default(), mac: true }
    }
}

impl Policy {
    /// Whether values of this kind are replaced.
    pub fn covers(&self, kind: Kind) -> bool {
        match kind {
            Kind::Ip => self.addresses != Addresses::None,
            Kind::Mac => self.mac,
            other => other.is_secret() || self.personal,
        }
    }
}
