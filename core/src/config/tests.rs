//! Every way to get the configuration wrong is refused with one message that names the file or variable, the key, and
//! what would be right.

use std::{fs, path::Path, sync::Arc};

use serde_json::json;

use super::*;
use crate::{
    auth::Credential,
    plugin::{BuildPlugin, Built, Key, Needs, Plugin},
    principal::Principal,
};

#[derive(Debug)]
struct Gate;

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GateConfig {
    secret: String,
    attempts: u8,
    open: bool,
}

/// The same, checked as a whole.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "GateConfig", into = "GateConfig")]
struct Checked(GateConfig);

impl From<Checked> for GateConfig {
    fn from(Checked(config): Checked) -> Self {
        config
    }
}

impl TryFrom<GateConfig> for Checked {
    type Error = String;
    fn try_from(config: GateConfig) -> Result<Self, String> {
        match config.open && config.attempts > 100 {
            true => Err("`attempts` is for gates that are shut".into()),
            false => Ok(Self(config)),
        }
    }
}

#[async_trait::async_trait]
impl AuthProvider for Gate {
    async fn authenticate(&self, _: &Credential) -> crate::Result<Option<Principal>> {
        Ok(None)
    }
}

impl BuildPlugin<dyn AuthProvider> for Gate {
    const NAME: &'static str = "gate";
    const SUMMARY: &'static str = "lets nobody in";
    const KEYS: &'static [Key] =
        &[Key::secret("secret", "what to show"), Key::new("attempts", "how often"), Key::new("open", "whether it is")];
    type Config = Checked;
    async fn build(_: Checked, _: Needs) -> Built<dyn AuthProvider> {
        Ok(Arc::new(Self))
    }
}

inventory::submit! { Plugin::<dyn AuthProvider>::of::<Gate>() }

fn figment(file: &str, variables: &[(&str, &str)]) -> Result<Figment, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("default.toml");
    fs::write(&path, file).unwrap();
    let sources = Sources { file: Some(path), ..Sources::default() };
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    sources::collect(&sources, variables)
}

/// What the configuration is refused with. Only `gate` is linked here, so sections are checked one by one.
fn refusal(file: &str, variables: &[(&str, &str)]) -> String {
    let refused = figment(file, variables).and_then(|figment| {
        section::<ServerConfig>(&figment, "server")?;
        section::<LogConfig>(&figment, "log")?;
        section::<Vec<String>>(&figment, "auth.use")?;
        section::<String>(&figment, "storage.use")?;
        Ok(Registry::<dyn AuthProvider>::linked()?.get("gate")?.check(&figment)?)
    });
    let message = refused.err().unwrap_or_else(|| panic!("{file} {variables:?} was taken")).to_string();
    // The temporary folder's name is another each time.
    message
        .split(' ')
        .map(|word| word.rfind("/default.toml").map_or(word, |at| &word[at + 1..]))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_wrong_type_names_file_key_and_what_would_be_right() {
    assert_eq!(
        refusal("[server]\nport = \"abc\"", &[]),
        "`server.port` (set in default.toml) is the text \"abc\"; it must be a whole number from 0 to 65535"
    );
    assert_eq!(
        refusal("[server]\nport = 70000", &[]),
        "`server.port` (set in default.toml) is 70000; it must be a whole number from 0 to 65535"
    );
    assert_eq!(
        refusal("[auth.gate]\nopen = 3", &[]),
        "`auth.gate.open` (set in default.toml) is 3; it must be true or false"
    );
    assert_eq!(
        refusal("[auth]\nuse = \"gate\"", &[]),
        "`auth.use` (set in default.toml) is the text \"gate\"; it must be a list, such as [\"a\", \"b\"]"
    );
    assert_eq!(
        refusal("[log]\nformat = \"xml\"", &[]),
        "`log.format` (set in default.toml) is `xml`; it must be one of: text, json"
    );
}

#[test]
fn a_wrong_variable_is_named_as_it_is_written() {
    assert_eq!(
        refusal("", &[("WASMWIZ_SERVER__PORT", "abc")]),
        "`server.port` (set in WASMWIZ_SERVER__PORT) is the text \"abc\"; it must be a whole number from 0 to 65535"
    );
    assert_eq!(
        refusal("", &[("WASMWIZ_SEVER__PORT", "1")]),
        "unknown key `sever` (set in WASMWIZ_SEVER__PORT); known here: server, log, storage, blobs, rate_limit, policy, \
         executor, auth"
    );
    assert_eq!(
        refusal("", &[("WASMWIZ_AUTH__GATE__ATTEMPS", "1")]),
        "unknown key `auth.gate.attemps` (set in WASMWIZ_AUTH__GATE__ATTEMPS); known here: secret, attempts, open"
    );
    for name in ["WASMWIZ_PORT", "WASMWIZ_SERVER__", "WASMWIZ___PORT", "WASMWIZ_"] {
        let message = refusal("", &[(name, "1")]);
        assert!(
            message.starts_with(&format!("unknown environment variable {name}; a setting is written")),
            "{message}"
        );
    }
}

#[test]
fn values_that_do_not_fit_together_name_where_the_first_was_set() {
    let variables = [("WASMWIZ_AUTH__GATE__ATTEMPTS", "101")];
    assert_eq!(
        refusal("[auth.gate]\nopen = true", &variables),
        "`auth.gate`: `attempts` is for gates that are shut (`auth.gate.attempts` is set in WASMWIZ_AUTH__GATE__ATTEMPTS)"
    );
}

#[test]
fn an_unknown_key_answers_with_those_there_are() {
    assert!(
        refusal("[server]\nprot = 1", &[])
            .starts_with("unknown key `server.prot` (set in default.toml); known here: host, port,")
    );
    assert_eq!(
        refusal("[auth.gaet]\nopen = true", &[]),
        "unknown key `auth.gaet` (set in default.toml); known here: use, gate"
    );
    assert!(
        refusal("colour = 1", &[]).starts_with("unknown key `colour` (set in default.toml); known here: server, log,")
    );
}

#[test]
fn a_value_where_a_section_should_be_is_not_passed_over() {
    assert_eq!(refusal("server = 8080", &[]), "`server` (set in default.toml) is 8080; it must be a section, [server]");
    assert_eq!(
        refusal("[auth]\ngate = \"open\"", &[]),
        "`auth.gate` (set in default.toml) is the text \"open\"; it must be a section, [auth.gate]"
    );
}

#[test]
fn a_value_that_the_profile_covers_up_is_still_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("default.toml"), "server = 8080").unwrap();
    let sources = Sources { folder: folder.path().to_owned(), ..Sources::default() };
    let message = sources::collect(&sources, std::iter::empty()).unwrap_err().to_string();
    assert!(message.ends_with("default.toml) is 8080; it must be a section, [server]"), "{message}");
}

#[test]
fn a_secret_is_never_shown_not_even_a_wrong_one() {
    let message = refusal("[auth.gate]\nsecret = 1234567890", &[]);
    assert_eq!(message, "`auth.gate.secret` (set in default.toml) is of the wrong form; it must be a text");
}

#[test]
fn a_file_that_is_no_toml_is_named_with_the_line() {
    let message = refusal("[server]\nport = = 1", &[]);
    assert!(message.starts_with("the configuration file default.toml is not valid TOML: "), "{message}");
    assert!(message.contains("line 2"), "{message}");
}

#[test]
fn a_file_that_was_named_must_be_there_and_readable() {
    let load = |path: &Path| {
        let sources = Sources { file: Some(path.to_owned()), ..Sources::default() };
        Config::load_from(&sources, std::iter::empty()).unwrap_err().to_string()
    };
    assert_eq!(load(Path::new("/no/such.toml")), "the configuration file /no/such.toml is not there");
    let folder = tempfile::tempdir().unwrap();
    let expected = format!("the configuration file {} cannot be read: ", folder.path().display());
    assert!(load(folder.path()).starts_with(&expected), "{}", load(folder.path()));
}

#[test]
fn an_unknown_plugin_answers_with_those_there_are_and_where_it_was_named() {
    let sources = Sources { flags: vec![("auth.use".into(), json!(["gaet"]))], ..Sources::default() };
    let figment = sources::collect(&sources, std::iter::empty()).unwrap();
    let config = Config {
        profile: Profile::Development,
        server: ServerConfig::default(),
        log: LogConfig::default(),
        selection: Selection {
            storage: String::new(),
            blobs: String::new(),
            auth: vec!["gaet".into()],
            rate_limit: String::new(),
            policy: String::new(),
            executor: String::new(),
        },
        figment,
    };
    let message = config.check_chosen::<dyn AuthProvider>("gaet").unwrap_err().to_string();
    assert_eq!(message, "unknown auth plugin `gaet` (set in --use); available: gate");
}

#[test]
fn later_sources_win_and_each_value_knows_its_own() {
    let variables = [("WASMWIZ_AUTH__GATE__ATTEMPTS", "7"), ("WASMWIZ_API_KEY", "no setting"), ("OTHER__X", "1")];
    let figment = figment("[auth.gate]\nattempts = 3\nopen = true\n[server]\nhost = \"::1\"", &variables).unwrap();
    let gate: GateConfig = section(&figment, "auth.gate").unwrap();
    assert_eq!((gate.attempts, gate.open), (7, true));
    assert_eq!(message::source_of(&figment, "auth.gate.attempts"), " (set in WASMWIZ_AUTH__GATE__ATTEMPTS)");
    assert_eq!(message::source_of(&figment, "server.samples"), " (set in built-in development profile)");
    assert_eq!(message::source_of(&figment, "auth.gate.secret"), " (set in default)");
}

#[test]
fn the_servers_limits_must_fit_together() {
    let server =
        ServerConfig { max_buffered_bytes: 5, max_module_bytes: 4, max_body_bytes: 3, ..ServerConfig::default() };
    let (key, wrong) = server.check().unwrap_err();
    assert_eq!(key, "max_buffered_bytes");
    assert_eq!(wrong, "5; it must hold at least one request: max_module_bytes + max_body_bytes = 7");
}

#[test]
fn the_reference_is_read_back_as_the_defaults() {
    let text = reference().unwrap();
    let read: serde_json::Value = toml::from_str(&text).unwrap();
    assert_eq!(read, sources::defaults().unwrap());
    assert!(text.contains("# port to listen at"), "{text}");
}
