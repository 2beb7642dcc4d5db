//! `wasmwiz serve`.

use std::{
    fs::DirBuilder,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf, absolute},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use wasmwiz_core::{Platform, config::Config, system::System};

use super::{
    Ending, Failure,
    bootstrap::{Bootstrap, bootstrap},
    output,
    settings::Settings,
    signals,
};

/// Start the server. It ends after SIGTERM or Ctrl-C, when running requests have ended; after a second one, at once.
///
/// With a login and an empty store it makes the user `admin` and prints their key, once. Bring your own in the variable
/// WASMWIZ_BOOTSTRAP_KEY to have nothing printed. Log lines go to standard error.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The address to listen at; overrides `server.host`.
    #[arg(long)]
    host: Option<String>,
    /// The port to listen at, 0 for a free one; overrides `server.port`.
    #[arg(long)]
    port: Option<u16>,
    /// The folder for everything that is kept; overrides `server.data_dir`.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self, settings: Settings) -> Ending {
        let config = settings.load_with(self.flags())?;
        crate::logging::init(&config, crate::logging::filter(&config).map_err(Failure::new)?);
        raise_open_files();
        let runtime = runtime()?;
        let served = runtime.block_on(serve(&config));
        // What still works in the background, such as the check of a module nobody waits for, ends with the process.
        runtime.shutdown_timeout(Duration::from_secs(1));
        served?;
        Ok(ExitCode::SUCCESS)
    }

    fn flags(&self) -> Vec<(String, Value)> {
        let flags = [
            ("server.host", self.host.as_ref().map(|host| json!(host))),
            ("server.port", self.port.map(|port| json!(port))),
            ("server.data_dir", self.data_dir.as_ref().map(|folder| json!(folder))),
        ];
        flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

/// The threads that everything but the guests runs on.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread().enable_all().build().map_err(|error| Failure::io("cannot start threads", &error))
}

/// Make the data folder, for nobody else to read: it has everybody's modules.
pub(super) fn create_data_dir(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::io(format_args!("cannot make the data folder {}", folder.display()), &error))
}

async fn serve(config: &Config) -> Result<(), Failure> {
    let stop = signals::watch()?;
    let data_dir = absolute(&config.server.data_dir).map_err(|error| Failure::io("server.data_dir", &error))?;
    create_data_dir(&data_dir)?;
    let platform = Platform::build(config, System::new(Some(data_dir))).await?;
    check_schema(config, &platform).await?;
    if let Bootstrap::Generated(secret) = bootstrap(&platform).await? {
        show_first_key(secret.expose());
    }
    if config.server.samples {
        crate::samples::install(&platform).await?;
    }
    let ready = |address: SocketAddr| {
        let text = greeting(config, address, platform.needs_login());
        // A server whose terminal went away serves on.
        let _ = output::bytes(text.as_bytes());
    };
    crate::server::serve(config, platform.clone(), stop, ready).await?;
    Ok(())
}

async fn check_schema(config: &Config, platform: &Platform) -> Result<(), Failure> {
    let schema = platform.storage.schema().await?;
    if schema.pending == 0 {
        return Ok(());
    }
    if !config.server.auto_migrate {
        return Err(Failure::new("the schema is behind: run `wasmwiz migrate`, or set server.auto_migrate = true"));
    }
    platform.storage.migrate().await?;
    tracing::info!(migrations = schema.pending, "brought the schema up to date");
    Ok(())
}

/// Show the first key at once: it is stored by now, and the start may still fail.
fn show_first_key(key: &str) {
    let text = format!("The key of the user `admin`, shown this once:\n  export WASMWIZ_API_KEY={key}\n");
    if output::bytes(text.as_bytes()).is_err() {
        output::note(text.trim_end());
    }
}

/// What a person at a terminal wants to know first.
fn greeting(config: &Config, address: SocketAddr, login: bool) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let url = format!("http://{}", reachable(address));
    let listening = format!("http://{address}");
    let mut text = format!(
        "WasmWiz {version} listens at {listening} (profile {}, data in {})\n",
        config.profile,
        config.server.data_dir.display()
    );
    let credential = if login { " -H \"Authorization: Bearer $WASMWIZ_API_KEY\"" } else { "" };
    text.push_str(&if config.server.samples {
        format!("Try: curl -sS{credential} --data WasmWiz {url}/api/wasm/modules/hello/run\n")
    } else {
        format!("Try: curl -sS{credential} {url}/api/wasm/modules\n")
    });
    text.push_str(&format!("Docs: {url}/docs\n"));
    text
}

/// The address to try from this machine: who listens everywhere listens at home.
fn reachable(address: SocketAddr) -> SocketAddr {
    let home = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(home, address.port())
}

/// Allow as many open files as the system lets us: each connection is one, and shells give 1024 only.
fn raise_open_files() {
    let limits = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }) {
        tracing::warn!(%error, "cannot raise the number of open files");
    }
}

#[cfg(test)]
mod tests {
    use wasmwiz_core::config::Sources;

    use super::*;

    fn config(samples: bool) -> Config {
        let flags = vec![("server.samples".to_owned(), json!(samples))];
        Config::load(&Sources { flags, ..Sources::default() }).unwrap()
    }

    #[test]
    fn a_development_server_greets_with_a_line_that_works() {
        let address = "127.0.0.1:8080".parse().unwrap();
        let expected = format!(
            "WasmWiz {} listens at http://127.0.0.1:8080 (profile development, data in ./data)\n\
             Try: curl -sS --data WasmWiz http://127.0.0.1:8080/api/wasm/modules/hello/run\n\
             Docs: http://127.0.0.1:8080/docs\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(greeting(&config(true), address, false), expected);
    }

    #[test]
    fn with_a_login_the_line_shows_the_key() {
        let text = greeting(&config(false), "[::]:80".parse().unwrap(), true);
        assert!(text.contains("listens at http://[::]:80 ("), "{text}");
        assert!(text.contains("curl -sS -H \"Authorization: Bearer $WASMWIZ_API_KEY\" http://[::1]:80/api/"), "{text}");
    }

    #[test]
    fn flags_reach_the_configuration_under_their_own_name() {
        let serve = Serve { host: None, port: Some(0), data_dir: Some("/tmp/x".into()) };
        let config = Config::load(&Sources { flags: serve.flags(), ..Sources::default() }).unwrap();
        assert_eq!((config.server.port, config.server.data_dir.as_path()), (0, Path::new("/tmp/x")));
        let rows = config.explain().unwrap();
        assert!(rows.iter().any(|row| row.key == "server.data_dir" && row.source == "--data-dir"));
    }
}
