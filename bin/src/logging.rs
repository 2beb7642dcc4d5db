//! Log lines: which are written, and how. They go to standard error; standard output is for what was asked for.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};
use wasmwiz_core::config::{Config, LogFormat};

/// Dependencies whose ordinary lines tell an operator nothing. `log.filter` may name them to hear more. Those of WASIX are
/// silent, because a guest can make them warn as often as it likes.
const QUIET: &str = "cranelift=warn,cranelift_codegen=warn,h2=warn,hyper=warn,hyper_util=warn,object_store=warn,poem=warn,\
                     regalloc2=warn,reqwest=warn,rustls=warn,sqlx=warn,virtual_fs=off,wasmer=warn,wasmer_wasix=off";

/// Read `log.filter`.
///
/// # Errors
/// A sentence that names the key, where it was set, and what would be right.
pub(crate) fn filter(config: &Config) -> Result<EnvFilter, String> {
    parse(&config.log.filter).map_err(|reason| {
        let rows = config.explain().unwrap_or_default();
        let source = rows.iter().find(|row| row.key == "log.filter").map(|row| row.source.clone());
        let source = source.map(|source| format!(" (set in {source})")).unwrap_or_default();
        format!("`log.filter`{source} is `{}`: {reason}", config.log.filter)
    })
}

/// Write log lines as the configuration asks, and only from `filter` on.
pub(crate) fn init(config: &Config, filter: EnvFilter) {
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    // Fails only where a logger is installed already, by a program that calls this library; that one is kept then.
    let _ = match config.log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
}

/// Write warnings and errors only, for commands whose output is what their user came for.
pub(crate) fn init_quiet(config: &Config) {
    init(config, EnvFilter::builder().parse_lossy("warn"));
}

fn parse(text: &str) -> Result<EnvFilter, String> {
    const RIGHT: &str =
        "write a level (off, error, warn, info, debug, trace), or levels by target such as `info,wasmwiz=debug`";
    // To the library a bare word is a target whose every line is written, so a mistyped level would be a flood.
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
    if let Some(part) = parts.iter().find(|part| !part.contains('=') && !level(part)) {
        return Err(format!("`{part}` is no level; {RIGHT}"));
    }
    EnvFilter::builder().parse(format!("{QUIET},{}", parts.join(","))).map_err(|error| format!("{error}; {RIGHT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_levels_and_targets() {
        for text in ["info", "off", "info,wasmwiz=debug", "WARN, sqlx=trace"] {
            parse(text).unwrap();
        }
    }

    #[test]
    fn a_mistyped_level_is_refused() {
        for text in ["debgu", "", "info,", "wasmwiz=loud", "info,wasmwiz=debug=x"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("write a level"), "{text}: {error}");
        }
    }

    #[test]
    fn what_the_operator_asks_for_overrides_what_is_quiet() {
        let filter = parse("info,sqlx=debug").unwrap().to_string();
        assert!(filter.contains("sqlx=debug") && !filter.contains("sqlx=warn"), "{filter}");
    }
}
