//! Who asks.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What somebody may do beyond their own things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Their own modules, executions and keys.
    #[default]
    User,
    /// Everybody's.
    Admin,
}

/// What a credential may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// List and read modules.
    #[serde(rename = "modules:read")]
    ModulesRead,
    /// Upload and delete modules.
    #[serde(rename = "modules:write")]
    ModulesWrite,
    /// Run modules and read executions.
    #[serde(rename = "execute")]
    Execute,
    /// Create, list and revoke keys.
    #[serde(rename = "keys")]
    Keys,
    /// Administer the server; asks for the admin role too.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::ModulesRead, Self::ModulesWrite, Self::Execute, Self::Keys, Self::Admin];
}

/// A text that is none of the words known for its type.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no {what}; the words are: {known}")]
pub struct UnknownWord {
    what: &'static str,
    found: String,
    known: String,
}

/// Give a plain enum its words as `Display` and `FromStr`; the same words that serde writes.
macro_rules! words {
    ($type:ty, $what:literal, $($variant:path => $word:literal),+ $(,)?) => {
        impl $type {
            /// The word for it, as in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $($variant => $word),+ }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::str::FromStr for $type {
            type Err = $crate::principal::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok($variant),)+
                    _ => Err($crate::principal::UnknownWord::new($what, text, &[$($word),+])),
                }
            }
        }
    };
}
pub(crate) use words;

impl UnknownWord {
    pub(crate) fn new(what: &'static str, found: &str, known: &[&str]) -> Self {
        Self { what, found: found.chars().take(64).collect(), known: known.join(", ") }
    }
}

words!(Role, "role", Role::User => "user", Role::Admin => "admin");
words!(
    Scope, "scope",
    Scope::ModulesRead => "modules:read",
    Scope::ModulesWrite => "modules:write",
    Scope::Execute => "execute",
    Scope::Keys => "keys",
    Scope::Admin => "admin",
);

/// The set of scopes of a credential, kept as the words separated by spaces (RFC 6749 section 3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(pub Vec<Scope>);

impl Scopes {
    /// Everything.
    pub fn all() -> Self {
        Self(Scope::ALL.to_vec())
    }

    /// Whether `scope` is among them.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "))
    }
}

impl FromStr for Scopes {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// Somebody who uses the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: Uuid,
    /// Their name, unique on the server.
    pub name: String,
    /// The tier new keys get.
    pub tier: String,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created_at: DateTime<Utc>,
}

impl User {
    /// The owner of the modules that the server itself offers. Everybody may refer to them by name.
    pub const SAMPLES: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);
    /// The user that `auth = ["none"]` makes of every caller.
    pub const LOCAL: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0002);
    /// The longest user name in characters.
    pub const MAX_NAME: usize = 64;

    /// Check a name: 1 to 64 letters, digits, `.`, `_`, `-`, `@` or `+` (so that an e-mail address will do).
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn check_name(name: &str) -> Result<(), String> {
        check_word(name, Self::MAX_NAME, "._-@+")
    }
}

/// Check that `name` has 1 to `max` ASCII letters, digits or characters of `extra`, the first a letter or digit.
pub(crate) fn check_word(name: &str, max: usize, extra: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
    if (1..=max).contains(&name.len())
        && name.chars().all(fits)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Ok(());
    }
    let extra = extra.chars().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(" ");
    Err(format!("must be 1 to {max} ASCII letters, digits or {extra}, the first a letter or digit"))
}

/// Who asks, as an auth provider established it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Whose modules and records these are.
    pub user_id: Uuid,
    /// Their name.
    pub user_name: String,
    /// The key used; `None` without login.
    pub key_id: Option<Uuid>,
    /// The tier whose quotas and limits hold.
    pub tier: String,
    /// What they may do.
    pub role: Role,
    /// What the credential may be used for.
    pub scopes: Scopes,
    /// The auth provider that established it.
    pub provider: &'static str,
}

impl Principal {
    /// Name the token bucket this principal draws from.
    pub fn bucket(&self) -> Uuid {
        self.key_id.unwrap_or(self.user_id)
    }

    /// Fail unless the credential has `scope` (and, for [`Scope::Admin`], the role).
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] naming what is missing.
    pub fn require(&self, scope: Scope) -> crate::Result<()> {
        if !self.scopes.contains(scope) {
            return Err(crate::Error::Forbidden(format!("this credential does not have the scope `{scope}`")));
        }
        if scope == Scope::Admin && self.role != Role::Admin {
            return Err(crate::Error::Forbidden("this needs the role `admin`".into()));
        }
        Ok(())
    }
}
