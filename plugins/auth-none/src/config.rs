use serde::{Deserialize, Serialize};
use wasmwiz_core::{plugin::Key, principal::Role};

/// The section `[auth.none]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoneConfig {
    /// The local user's tier.
    pub tier: String,
    /// The local user's role.
    pub role: Role,
}

impl Default for NoneConfig {
    fn default() -> Self {
        Self { tier: "pro".into(), role: Role::Admin }
    }
}

pub(crate) const KEYS: &[Key] = &[
    Key::new(
        "tier",
        "the tier of whoever shows no credential; the machine is theirs, so its most generous built-in one",
    ),
    Key::new("role", "`admin` or `user`: what whoever shows no credential may do"),
];
