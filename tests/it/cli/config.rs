//! `wasmwiz config`, `plugins` and `migrate`, and what is said of a configuration that is wrong

use crate::support::Terminal;

#[test]
fn what_is_right_is_checked_and_told_with_its_sources() {
    let terminal = Terminal::new().with("WASMWIZ_SERVER__PORT", "9000");
    terminal.file("config/development.toml", "[rate_limit.memory]\nmax_buckets = 77");
    let file = terminal.file("mine.toml", "[server]\nmax_body_bytes = 1000");
    let ended = terminal.run(&["config", "check", "--config", &file]).well();
    assert!(ended.text().starts_with("the configuration is right: profile development, "), "{ended:?}");
    let rows = terminal.run(&["config", "show", "--json", "--config", &file]).well().json();
    let row = |key: &str| {
        rows.as_array().expect("a list").iter().find(|row| row["key"] == key).expect("the key is there").clone()
    };
    for (key, value, source) in [
        ("server.port", "9000", "WASMWIZ_SERVER__PORT"),
        ("server.max_body_bytes", "1000", file.as_str()),
        ("server.samples", "true", "built-in development profile"),
        ("server.host", "\"127.0.0.1\"", "default"),
        ("policy.tiered.tiers.free.requests_per_minute", "10", "default"),
    ] {
        let row = row(key);
        assert_eq!((row["value"].to_string().as_str(), row["source"].as_str()), (value, Some(source)), "{key}");
        assert!(row["help"].as_str().is_some_and(|help| !help.is_empty()), "{row}");
    }
    let buckets = row("rate_limit.memory.max_buckets");
    assert!(buckets["source"].as_str().is_some_and(|source| source.ends_with("config/development.toml")), "{buckets}");
    let text = terminal.run(&["config", "show"]).well().text();
    let line = text.lines().find(|line| line.starts_with("server.port ")).expect("a line a key");
    assert!(
        line.contains("= 9000") && line.contains("WASMWIZ_SERVER__PORT") && line.contains("port to listen at"),
        "{line}"
    );
    let reference = terminal.run(&["config", "reference"]).well().text();
    assert!(reference.contains("[server]") && reference.contains("[executor.wasmer"), "{reference}");
}

#[test]
fn the_reference_is_itself_a_configuration_that_is_right() {
    let terminal = Terminal::new();
    let reference = terminal.run(&["config", "reference"]).well().text();
    let file = terminal.file("reference.toml", reference);
    terminal.run(&["config", "check", "--config", &file]).well();
}

#[test]
fn what_is_wrong_is_named_with_where_it_was_set_and_what_would_be_right() {
    let cases = [
        ("[rate_limit]\nuse = \"redsi\"", "unknown rate_limit plugin `redsi` (set in FILE); available: memory"),
        ("[storage]\nuse = \"sqlit\"", "unknown storage plugin `sqlit` (set in FILE); available: sqlite"),
        (
            "[auth]\nuse = [\"api_key\", \"nobody\"]",
            "unknown auth plugin `nobody` (set in FILE); available: api_key, none",
        ),
        ("[auth]\nuse = []", "`auth.use` (set in FILE) names no provider, so nobody could use the server"),
        ("[server]\nprot = 1", "unknown key `server.prot` (set in FILE); known here: host, port, "),
        ("[sevrer]\nport = 1", "unknown key `sevrer` (set in FILE); known here: server, log, storage, "),
        ("[rate_limit.redis]\nurl = \"x\"", "unknown key `rate_limit.redis` (set in FILE); known here: use, memory"),
        (
            "[server]\nport = \"http\"",
            "`server.port` (set in FILE) is the text \"http\"; it must be a whole number from 0 to 65535",
        ),
        ("[server]\nport = 70000", "`server.port` (set in FILE) is 70000; it must be a whole number from 0 to 65535"),
        ("[server]\nmax_body_bytes = 0", "`server.max_body_bytes` (set in FILE) is 0; it must be at least 1"),
        ("[policy.tiered.tiers.free]\ntimeout_ms = 0", "`policy.tiered.tiers.free.timeout_ms` (set in FILE) is "),
        ("[log]\nfilter = \"debgu\"", "`log.filter` (set in FILE) is `debgu`: `debgu` is no level; "),
        ("[log]\nformat = \"xml\"", "`log.format` (set in FILE) is `xml`; it must be one of: text, json"),
    ];
    for (toml, expected) in cases {
        let terminal = Terminal::new();
        let file = terminal.file("wrong.toml", toml);
        let expected = format!("wasmwiz: {}", expected.replace("FILE", &file));
        for command in [vec!["config", "check"], vec!["serve"]] {
            let ended = terminal.run(&[command.as_slice(), &["--config", &file]].concat());
            let said = ended.refused(1);
            assert!(said.starts_with(&expected), "{command:?}\nexpected {expected}\nfound    {said}");
            assert_eq!(said.lines().count(), 1, "one clear message: {said}");
        }
        assert!(!terminal.folder().join("data").exists(), "nothing is made by a start that is refused");
    }
}

#[test]
fn broken_files_and_missing_ones_are_named() {
    let terminal = Terminal::new();
    let file = terminal.file("broken.toml", "[server\nport = 1");
    let ended = terminal.run(&["config", "check", "--config", &file]);
    assert!(ended.refused(1).contains("broken.toml"), "{ended:?}");
    let ended = terminal.run(&["config", "check", "--config", "nowhere.toml"]);
    assert_eq!(ended.refused(1), "wasmwiz: the configuration file nowhere.toml is not there");
    let ended = terminal.run(&["config", "check", "--config-dir", "nowhere"]);
    assert_eq!(ended.refused(1), "wasmwiz: the configuration folder nowhere is not there");
}

#[test]
fn variables_are_settings_or_refused() {
    let check = |name: &str, value: &str| Terminal::new().with(name, value).run(&["config", "check"]);
    check("WASMWIZ_SERVER__PORT", "9000").well();
    check("WASMWIZ_POLICY__TIERED__TIERS__FREE__TIMEOUT_MS", "100").well();
    check("WASMWIZ_AUTH__USE", "[api_key]").well();
    let ended = check("WASMWIZ_PORT", "9000");
    assert_eq!(
        ended.refused(1),
        "wasmwiz: unknown environment variable WASMWIZ_PORT; a setting is written WASMWIZ_SECTION__KEY, such as WASMWIZ_SERVER__PORT"
    );
    let ended = check("WASMWIZ_SERVER__PROT", "9000");
    assert!(
        ended.refused(1).starts_with("wasmwiz: unknown key `server.prot` (set in WASMWIZ_SERVER__PROT)"),
        "{ended:?}"
    );
    let ended = check("WASMWIZ_SERVER__PORT", "http");
    assert!(ended.refused(1).starts_with("wasmwiz: `server.port` (set in WASMWIZ_SERVER__PORT) is "), "{ended:?}");
    let terminal = Terminal::new();
    terminal.file("elsewhere/development.toml", "[server]\nport = 7");
    let terminal = terminal.with("WASMWIZ_CONFIG_DIR", "elsewhere");
    let shown = terminal.run(&["config", "show"]).well().text();
    assert!(shown.contains("elsewhere/development.toml"), "{shown}");
}

#[test]
fn production_refuses_to_let_everybody_in() {
    for profile in ["staging", "production"] {
        let terminal = Terminal::new();
        let file = terminal.file("open.toml", "[auth]\nuse = [\"api_key\", \"none\"]");
        for command in [vec!["config", "check"], vec!["serve", "--port", "0"]] {
            let ended = terminal.run(&[command.as_slice(), &["--profile", profile, "--config", &file]].concat());
            let expected = format!(
                "wasmwiz: `auth.use` (set in {file}) contains `none`, which lets everybody in; the profile {profile} refuses \
                 that. Use `api_key`"
            );
            assert_eq!(ended.refused(1), expected);
        }
        terminal.run(&["config", "check", "--profile", profile]).well();
    }
    let ended = Terminal::new().run(&["config", "check", "--profile", "prod"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("development, staging, production"), "{ended:?}");
}

#[test]
fn plugins_are_listed_with_their_keys_and_what_is_chosen() {
    let terminal = Terminal::new();
    let text = terminal.run(&["plugins"]).well().text();
    for line in [
        "storage\n* sqlite: ",
        "blobs\n* object_store: ",
        "auth\n* api_key: ",
        "rate_limit\n* memory: ",
        "policy\n* tiered: ",
        "executor\n* wasmer: ",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.contains("max_buckets: ") && text.contains("[default: 100000]"), "{text}");
    let rows = terminal.run(&["plugins", "--json"]).well().json();
    assert_eq!(rows.as_array().map(Vec::len), Some(7), "{rows}");
    assert!(
        rows.as_array().is_some_and(|rows| rows.iter().all(|row| row["keys"].is_array() && row["chosen"].is_boolean()))
    );
    let file = terminal.file("wrong.toml", "[storage]\nuse = \"nothing\"");
    let ended = terminal.run(&["plugins", "--config", &file]);
    assert_eq!(ended.code, Some(0), "who chose a plugin that is not there learns what there is: {ended:?}");
    assert!(
        ended.text().contains("sqlite: ") && ended.stderr.contains("unknown storage plugin `nothing`"),
        "{ended:?}"
    );
}

#[test]
fn the_schema_is_brought_up_to_date_when_an_operator_says_so() {
    let terminal = Terminal::new();
    let production = ["--profile", "production"];
    let ended = terminal.run(&[&["serve", "--port", "0", "--host", "127.0.0.1"][..], &production].concat());
    assert!(ended.code == Some(1) && ended.stderr.contains("the schema is behind: run `wasmwiz migrate`"), "{ended:?}");
    let status = terminal.run(&[&["migrate", "--status"][..], &production].concat());
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.text().starts_with("the schema is behind: 0 migrations applied, "), "{status:?}");
    let first = terminal.run(&[&["migrate"][..], &production].concat()).well().text();
    assert!(first.starts_with("applied ") && first.ends_with(": the schema is up to date\n"), "{first}");
    let second = terminal.run(&[&["migrate"][..], &production].concat()).well().text();
    assert!(second.starts_with("the schema is up to date: ") && second.ends_with("nothing to do\n"), "{second}");
    terminal.run(&[&["migrate", "--status"][..], &production].concat()).well();
}

#[test]
fn help_and_version_are_there_for_every_command() {
    let terminal = Terminal::new();
    for command in ["", "serve", "run", "push", "exec", "modules", "keys", "users", "migrate", "plugins", "config"] {
        let args: Vec<_> = command.split(' ').filter(|word| !word.is_empty()).chain(["--help"]).collect();
        let ended = terminal.run(&args).well();
        assert!(ended.text().contains("Usage: wasmwiz"), "{command}: {ended:?}");
    }
    assert_eq!(terminal.run(&["--version"]).well().text(), format!("wasmwiz {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(terminal.run(&["nothing"]).code, Some(2));
    assert_eq!(terminal.run(&[]).code, Some(2));
}
