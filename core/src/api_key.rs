//! API keys: `ww_<random>_<checksum>`, of which only the SHA-256 is stored.
//!
//! The random part has 32 characters of base 62 (190 bits), so a plain hash is enough: there is nothing to guess. The
//! checksum is the CRC-32 of what stands before it, 6 characters of base 62: a mistyped key is refused without a look-up,
//! and secret scanners can tell a key from other text.

use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    principal::{Role, Scopes},
    system::Random,
};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LEN: usize = 32;
const CHECKSUM_LEN: usize = 6;
const PREFIX_LEN: usize = "ww_".len() + 8;

/// The SHA-256 of a key's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

/// A key as its holder has it. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(String);

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

impl KeySecret {
    /// Make a new key.
    pub fn generate(random: &dyn Random) -> Self {
        let mut text = String::with_capacity(3 + RANDOM_LEN + 1 + CHECKSUM_LEN);
        text.push_str("ww_");
        while text.len() < 3 + RANDOM_LEN {
            let mut bytes = [0; RANDOM_LEN];
            random.fill(&mut bytes);
            // 248 = 4 * 62: larger bytes would make some characters likelier than others.
            let fair =
                bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
            text.extend(fair.take(3 + RANDOM_LEN - text.len()));
        }
        let checksum = checksum(&text);
        text.push('_');
        text.push_str(&checksum);
        Self(text)
    }

    /// Accept a text that has the form and the checksum of a key.
    pub fn parse(text: &str) -> Option<Self> {
        let (body, sum) = text.rsplit_once('_')?;
        let random = body.strip_prefix("ww_")?;
        let well_formed = random.len() == RANDOM_LEN && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (well_formed && checksum(body) == sum).then(|| Self(text.to_owned()))
    }

    /// Whether a text claims to be a key, well formed or not.
    pub fn looks_like(text: &str) -> bool {
        text.starts_with("ww_")
    }

    /// The secret itself, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored instead of the secret.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The first characters, by which its owner knows it.
    pub fn prefix(&self) -> &str {
        &self.0[..PREFIX_LEN]
    }
}

fn checksum(body: &str) -> String {
    let mut crc = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(crc % 62) as usize];
        crc /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// A key's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// The first characters of the secret.
    pub prefix: String,
    /// The SHA-256 of the secret.
    pub hash: KeyHash,
    /// The tier whose quotas and limits hold.
    pub tier: String,
    /// What it may do.
    pub role: Role,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// The longest name in characters.
    pub const MAX_NAME: usize = 100;

    /// Whether it may be used at `now`.
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    #[test]
    fn a_generated_key_is_well_formed_and_its_own() {
        let (one, two) = (KeySecret::generate(&SystemRandom), KeySecret::generate(&SystemRandom));
        assert_eq!(KeySecret::parse(one.expose()), Some(one.clone()));
        assert_ne!(one.hash(), two.hash());
        assert_eq!(one.prefix().len(), 11);
        assert!(!format!("{one:?}").contains(one.prefix()));
    }

    #[test]
    fn a_mistyped_key_is_no_key() {
        let key = KeySecret::generate(&SystemRandom);
        let other = if key.expose().as_bytes()[5] == b'a' { "b" } else { "a" };
        let mut mistyped = key.expose().to_owned();
        mistyped.replace_range(5..6, other);
        for text in [mistyped.as_str(), "", "ww_", "ww__", "ww_é_000000", &key.expose()[1..]] {
            assert_eq!(KeySecret::parse(text), None, "{text}");
        }
    }
}
