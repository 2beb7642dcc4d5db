//! Modules: uploaded programs, and how they are referred to.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::principal::{check_word, words};

/// The SHA-256 of a module's bytes; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleHash(pub [u8; 32]);

impl ModuleHash {
    /// Hash `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for ModuleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ModuleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

/// A text that is no SHA-256 in hexadecimal.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sha256 has 64 hexadecimal digits")]
pub struct NotAHash;

impl FromStr for ModuleHash {
    type Err = NotAHash;
    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(NotAHash);
        }
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| NotAHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotAHash)?;
        }
        // `from_str_radix` takes a sign; a hash has none.
        if text.contains('+') { Err(NotAHash) } else { Ok(Self(hash)) }
    }
}

/// Who may run and see a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Its owner.
    #[default]
    Private,
    /// Everybody who may use the server.
    Public,
}
words!(Visibility, "visibility", Visibility::Private => "private", Visibility::Public => "public");

/// Which interface to its host a module was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Abi {
    /// `wasi_snapshot_preview1`.
    WasiPreview1,
    /// `wasi_unstable`, preview 1's predecessor.
    WasiUnstable,
    /// WASIX (`wasix_32v1`), WASI with threads, sockets and processes.
    Wasix,
    /// Imports nothing: pure computation.
    None,
    /// Imports something else; it cannot run here.
    Unknown,
}
words!(
    Abi, "ABI",
    Abi::WasiPreview1 => "wasi_preview1",
    Abi::WasiUnstable => "wasi_unstable",
    Abi::Wasix => "wasix",
    Abi::None => "none",
    Abi::Unknown => "unknown",
);

/// Something a module imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The module it is imported from.
    pub module: String,
    /// Its name there.
    pub name: String,
    /// What it is, as WAT would write it: `(func (param i32) (result i32))`, `(memory 1)`.
    #[serde(rename = "type")]
    pub ty: String,
}

/// Something a module exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What it is, as WAT would write it.
    #[serde(rename = "type")]
    pub ty: String,
}

/// What was found in a module's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The interface it was built for.
    pub abi: Abi,
    /// What it needs from its host.
    pub imports: Vec<Import>,
    /// What it offers.
    pub exports: Vec<Export>,
    /// Bytes that its linear memories have at the start, together.
    pub memory_min_bytes: u64,
}

impl Inspection {
    /// Whether it is a command: a program with a `_start`.
    pub fn is_command(&self) -> bool {
        self.exports.iter().any(|export| export.name == "_start")
    }
}

/// One version of a stored module.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub owner: Uuid,
    /// Its name, unique with the version among its owner's.
    pub name: String,
    /// Counts up from 1 for an owner and name.
    pub version: u32,
    /// What its owner says of it.
    pub description: String,
    /// The hash of its bytes.
    pub sha256: ModuleHash,
    /// The number of its bytes.
    pub size_bytes: u64,
    /// Who may run and see it.
    pub visibility: Visibility,
    /// What was found in it.
    pub inspection: Inspection,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// When it last ran.
    pub last_executed_at: Option<DateTime<Utc>>,
}

impl Module {
    /// The longest name in characters.
    pub const MAX_NAME: usize = 64;
    /// The longest description in bytes.
    pub const MAX_DESCRIPTION: usize = 2000;

    /// Check a name: 1 to 64 letters, digits, `.`, `_` or `-`, and not a UUID, which would be taken for an id.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn check_name(name: &str) -> Result<(), String> {
        check_word(name, Self::MAX_NAME, "._-")?;
        match Uuid::try_parse(name) {
            Ok(_) => Err("must not be a UUID, which would be taken for a module's id".into()),
            Err(_) => Ok(()),
        }
    }
}

/// A module to be stored; the storage gives it its version.
#[derive(Clone, Debug)]
pub struct NewModule {
    /// Its id, if it is not there already.
    pub id: Uuid,
    /// Whose it is.
    pub owner: Uuid,
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// The hash of its bytes.
    pub sha256: ModuleHash,
    /// The number of its bytes.
    pub size_bytes: u64,
    /// Who may run and see it.
    pub visibility: Visibility,
    /// What was found in it.
    pub inspection: Inspection,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

/// How somebody names a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleRef {
    /// By its id.
    Id(Uuid),
    /// By name: its newest version, a given one, or the one with these bytes.
    Name {
        /// The name.
        name: String,
        /// Which version.
        version: VersionRef,
    },
}

/// Which version of a name is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionRef {
    /// The newest.
    Latest,
    /// The one with this number.
    Number(u32),
    /// The one with these bytes.
    Hash(ModuleHash),
}

/// A text that refers to no module.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no module reference ({reason}); write a name, `name@3`, `name@sha256:<64 hex digits>` or a module's id"
)]
pub struct BadModuleRef {
    text: String,
    reason: String,
}

impl FromStr for ModuleRef {
    type Err = BadModuleRef;
    fn from_str(text: &str) -> Result<Self, BadModuleRef> {
        let bad = |reason: String| BadModuleRef { text: text.chars().take(160).collect(), reason };
        if let Ok(id) = Uuid::try_parse(text) {
            return Ok(Self::Id(id));
        }
        let (name, version) = match text.split_once('@') {
            None => (text, VersionRef::Latest),
            Some((name, version)) => {
                let version = match version.strip_prefix("sha256:") {
                    Some(hash) => VersionRef::Hash(hash.parse().map_err(|e: NotAHash| bad(e.to_string()))?),
                    None => VersionRef::Number(
                        version
                            .parse()
                            .map_err(|_| bad(format!("`{}` is no version number", version.escape_debug())))?,
                    ),
                };
                (name, version)
            }
        };
        Module::check_name(name).map_err(|reason| bad(format!("the name {reason}")))?;
        Ok(Self::Name { name: name.to_owned(), version })
    }
}

impl fmt::Display for ModuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name { name, version: VersionRef::Latest } => f.write_str(name),
            Self::Name { name, version: VersionRef::Number(number) } => write!(f, "{name}@{number}"),
            Self::Name { name, version: VersionRef::Hash(hash) } => write!(f, "{name}@sha256:{hash}"),
        }
    }
}

/// A module's bytes, checked: always the binary format, also when WAT text was given.
#[derive(Clone, Debug)]
pub struct CheckedModule {
    /// The binary.
    pub wasm: Bytes,
    /// Its hash.
    pub sha256: ModuleHash,
    /// What was found in it.
    pub inspection: Inspection,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_back_as_they_were_written() {
        let hash = ModuleHash::of(b"wasm");
        let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        for text in ["resize", "resize@3", &format!("resize@sha256:{hash}"), &id.to_string()] {
            assert_eq!(text.parse::<ModuleRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_bad_reference_says_what_would_be_right() {
        for text in ["", "@", "a@", "a@b", "a@-1", "a@sha256:12", "../x", "a b", "ünï", "-a", &"x".repeat(65)] {
            let error = text.parse::<ModuleRef>().unwrap_err().to_string();
            assert!(error.contains("write a name"), "{text}: {error}");
        }
    }
}
