use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasmwiz_core::{config::between, plugin::Key};

const MIB: u64 = 1 << 20;

/// The tiers that are there without configuration, lowest first.
const BUILT_IN: [&str; 3] = ["free", "basic", "pro"];

/// The section `[policy.tiered]`. Whatever was deserialized into it has been checked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "Unchecked")]
pub struct TieredConfig {
    order: Vec<String>,
    tiers: BTreeMap<String, TierConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Unchecked {
    order: Vec<String>,
    tiers: BTreeMap<String, TierConfig>,
}

/// One tier. Keys that are left out have the values of the built-in tier `free`.
///
/// The bounds are those beyond which a value can only be a slip: an hour; 4 GiB, the most a 32-bit memory has; output
/// and files are kept in memory.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TierConfig {
    /// 0 is without limit.
    pub requests_per_minute: u32,
    /// Wall-clock time of an execution, in milliseconds.
    #[serde(deserialize_with = "between::<1, 3_600_000, _, _>")]
    pub timeout_ms: u64,
    /// Linear memories and tables of an execution, in bytes. Nothing runs in less than a page of 64 KiB.
    #[serde(deserialize_with = "between::<65_536, 4_294_967_296, _, _>")]
    pub memory_bytes: u64,
    /// Standard output and error of an execution, in bytes.
    #[serde(deserialize_with = "between::<1, 1_073_741_824, _, _>")]
    pub output_bytes: u64,
    /// Contents of an execution's files, in bytes.
    #[serde(deserialize_with = "between::<1, 4_294_967_296, _, _>")]
    pub file_bytes: u64,
    /// Files, directories and links of an execution.
    #[serde(deserialize_with = "between::<1, 1_000_000, _, _>")]
    pub file_entries: u64,
    /// Descriptors open at a time. Four are open at the start: three streams and the root directory.
    #[serde(deserialize_with = "between::<5, 65_536, _, _>")]
    pub open_files: u64,
    /// Executions of a user at a time.
    #[serde(deserialize_with = "between::<1, 10_000, _, _>")]
    pub concurrent_executions: usize,
}

impl Default for TierConfig {
    fn default() -> Self {
        Self {
            requests_per_minute: 10,
            timeout_ms: 5_000,
            memory_bytes: 128 * MIB,
            output_bytes: MIB,
            file_bytes: 16 * MIB,
            file_entries: 1_000,
            open_files: 64,
            concurrent_executions: 2,
        }
    }
}

impl Default for Unchecked {
    fn default() -> Self {
        let free = TierConfig::default();
        let basic = TierConfig {
            requests_per_minute: 100,
            output_bytes: 4 * MIB,
            file_bytes: 32 * MIB,
            file_entries: 4_000,
            open_files: 128,
            concurrent_executions: 8,
            ..free.clone()
        };
        let pro = TierConfig {
            requests_per_minute: 1_000,
            output_bytes: 10 * MIB,
            file_bytes: 64 * MIB,
            file_entries: 10_000,
            open_files: 256,
            concurrent_executions: 32,
            ..free.clone()
        };
        let names = BUILT_IN.map(str::to_owned);
        Self { order: names.to_vec(), tiers: names.into_iter().zip([free, basic, pro]).collect() }
    }
}

impl Default for TieredConfig {
    fn default() -> Self {
        let Unchecked { order, tiers } = Unchecked::default();
        Self { order, tiers }
    }
}

impl TryFrom<Unchecked> for TieredConfig {
    type Error = String;

    fn try_from(Unchecked { order, tiers }: Unchecked) -> Result<Self, String> {
        let known = || tiers.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if order.is_empty() {
            return Err(format!("`order` names no tier; name at least one of {}", known()));
        }
        for (index, name) in order.iter().enumerate() {
            if !tiers.contains_key(name) {
                return Err(format!("`order` names the tier `{name}`, which is not among `tiers`: {}", known()));
            }
            if order[..index].contains(name) {
                return Err(format!("`order` names the tier `{name}` twice"));
            }
        }
        for name in tiers.keys() {
            check_name(name)?;
            // A built-in tier is left out on purpose, one's own by oversight: its users would get the lowest tier.
            if !order.contains(name) && !BUILT_IN.contains(&name.as_str()) {
                return Err(format!("`order` does not name the tier `{name}`; put it in its place, lowest tier first"));
            }
        }
        Ok(Self { order, tiers })
    }
}

/// Variables such as `WASMWIZ_POLICY__TIERED__TIERS__FREE__TIMEOUT_MS` reach only names in lower case.
fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if (1..=32).contains(&name.len()) && name.chars().all(fits) && !name.contains("__") {
        return Ok(());
    }
    Err(format!("the tier's name `{name}` must be 1 to 32 of a-z, 0-9, `-` and single `_`"))
}

impl TieredConfig {
    /// The tiers in use, lowest first.
    pub fn tiers(&self) -> impl Iterator<Item = (&str, &TierConfig)> {
        self.order.iter().filter_map(|name| Some((name.as_str(), self.tiers.get(name)?)))
    }
}

pub(crate) const KEYS: &[Key] = &[
    Key::new(
        "order",
        "the tiers in use, lowest first; a key whose tier is not among them is treated as of the lowest. Leave out a \
         built-in tier to be rid of it",
    ),
    Key::new(
        "tiers.*.requests_per_minute",
        "requests a minute of one key; it may use them all at once. 0: without limit",
    ),
    Key::new(
        "tiers.*.timeout_ms",
        "wall-clock time of an execution in milliseconds, 1 to 3600000; what a request may ask for at most, as all limits \
         here are. 5 s suit a caller who waits for the answer",
    ),
    Key::new(
        "tiers.*.memory_bytes",
        "linear memories and tables of an execution together in bytes, from one page of 65536 to 4294967296. Times \
         concurrent_executions, this is what one user can make the server hold",
    ),
    Key::new(
        "tiers.*.output_bytes",
        "standard output and error of an execution together in bytes, 1 to 1073741824; kept in memory until answered",
    ),
    Key::new(
        "tiers.*.file_bytes",
        "contents of an execution's files together in bytes, 1 to 4294967296; kept in memory, and not part of memory_bytes",
    ),
    Key::new(
        "tiers.*.file_entries",
        "files, directories and links of an execution together, 1 to 1000000; each costs some 100 bytes even when empty",
    ),
    Key::new(
        "tiers.*.open_files",
        "descriptors open at a time in an execution, 5 to 65536; four are open at the start (three streams and the root)",
    ),
    Key::new(
        "tiers.*.concurrent_executions",
        "executions of one user at a time on this node, whichever of their keys they use, 1 to 10000; keeps one user from \
         taking every worker",
    ),
];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(config: Value) -> Result<TieredConfig, String> {
        serde_json::from_value(config).map_err(|error| error.to_string())
    }

    fn names(config: &TieredConfig) -> Vec<&str> {
        config.tiers().map(|(name, _)| name).collect()
    }

    #[test]
    fn without_configuration_there_are_three_tiers_of_five_seconds_and_128_mib() {
        let config = TieredConfig::default();
        assert_eq!(names(&config), ["free", "basic", "pro"]);
        let requests: Vec<u32> = config.tiers().map(|(_, tier)| tier.requests_per_minute).collect();
        assert_eq!(requests, [10, 100, 1_000]);
        assert!(config.tiers().all(|(_, tier)| (tier.timeout_ms, tier.memory_bytes) == (5_000, 134_217_728)));
        let read_back = read(serde_json::to_value(&config).unwrap()).unwrap();
        assert_eq!(names(&read_back), names(&config));
    }

    #[test]
    fn an_operator_adds_a_tier_and_leaves_others_out() {
        let config = read(json!({
            "order": ["free", "gold"],
            "tiers": { "free": {}, "basic": {}, "pro": {}, "gold": { "timeout_ms": 30_000 } },
        }));
        let config = config.unwrap();
        assert_eq!(names(&config), ["free", "gold"]);
        let (_, gold) = config.tiers().nth(1).unwrap();
        assert_eq!((gold.timeout_ms, gold.output_bytes), (30_000, MIB));
    }

    #[test]
    fn an_order_that_cannot_be_meant_says_why() {
        for (config, expected) in [
            (json!({ "order": [] }), "`order` names no tier; name at least one of `basic`, `free`, `pro`"),
            (json!({ "order": ["free", "gold"] }), "`order` names the tier `gold`, which is not among `tiers`"),
            (json!({ "order": ["free", "pro", "free"] }), "`order` names the tier `free` twice"),
            (
                json!({ "tiers": { "free": {}, "basic": {}, "pro": {}, "gold": {} } }),
                "`order` does not name the tier `gold`",
            ),
            (json!({ "order": ["Gold"], "tiers": { "Gold": {} } }), "the tier's name `Gold` must be"),
        ] {
            let error = read(config).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_value_that_makes_no_sense_names_its_key_and_the_bounds() {
        for (key, value, expected) in [
            ("timeout_ms", 0, "1 to 3600000"),
            ("timeout_ms", 3_600_001, "1 to 3600000"),
            ("memory_bytes", 65_535, "65536 to 4294967296"),
            ("output_bytes", 0, "1 to"),
            ("file_bytes", 0, "1 to"),
            ("file_entries", 0, "1 to"),
            ("open_files", 4, "5 to 65536"),
            ("concurrent_executions", 0, "1 to 10000"),
        ] {
            let section = figment::providers::Serialized::default(&format!("tiers.free.{key}"), value);
            let error = figment::Figment::from(figment::providers::Serialized::defaults(TieredConfig::default()))
                .merge(section)
                .extract::<TieredConfig>()
                .unwrap_err();
            assert_eq!(error.path, ["tiers", "free", key], "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
