//! The command line. Each command is a file; what they share is here: global options, how a command ends.

mod bootstrap;
mod client;
mod config;
mod failure;
mod invocation;
mod migrate;
mod output;
mod plugins;
mod run;
mod serve;
mod settings;
mod signals;
mod table;
mod text;
mod verdict;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;

/// How a command ends that did not fail.
type Ending = Result<ExitCode, Failure>;

const MANUAL: &str = "\
Try it: `wasmwiz serve` in one terminal, then `echo hello | wasmwiz exec echo` in another. `wasmwiz run FILE` needs no server.

Settings come from these sources, the later wins: built-in defaults, default.toml and <profile>.toml in the configuration \
folder, the file named by --config, variables such as WASMWIZ_SERVER__PORT=9000, and the command line. \
`wasmwiz config show` tells every value and where it came from.";

/// Runs other people's WebAssembly behind an HTTP API, safely and fast.
#[derive(Debug, Parser)]
#[command(name = "wasmwiz", version, after_long_help = MANUAL, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    settings: settings::Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server.
    Serve(serve::Serve),
    /// Run a module here, without a server.
    Run(run::Run),
    /// Upload a module to a server.
    Push(client::push::Push),
    /// Run a module that a server has.
    Exec(client::exec::Exec),
    /// List, show, download and delete a server's modules.
    #[command(subcommand)]
    Modules(client::modules::Modules),
    /// List, create and revoke your API keys.
    #[command(subcommand)]
    Keys(client::keys::Keys),
    /// List and create users (for administrators).
    #[command(subcommand)]
    Users(client::users::Users),
    /// Bring the database's schema up to date.
    Migrate(migrate::Migrate),
    /// List the plugins that are linked into this program, with their keys.
    Plugins(plugins::Plugins),
    /// Check and show the configuration.
    #[command(subcommand)]
    Config(config::Config),
    /// Print the OpenAPI document: the content of openapi/openapi.json.
    Openapi,
}

/// Read the command line and do what it says.
pub(crate) fn main() -> ExitCode {
    let Cli { settings, command } = Cli::parse();
    let ending = match command {
        Command::Serve(command) => command.run(settings),
        Command::Run(command) => command.run(settings),
        Command::Push(command) => command.run(),
        Command::Exec(command) => command.run(),
        Command::Modules(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Users(command) => command.run(),
        Command::Migrate(command) => command.run(&settings),
        Command::Plugins(command) => command.run(&settings),
        Command::Config(command) => command.run(&settings),
        Command::Openapi => output::line(crate::api::openapi_document().trim_end()).map(|()| ExitCode::SUCCESS),
    };
    ending.unwrap_or_else(|failure| failure.report())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_is_explained() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for arg in command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
                assert!(arg.get_help().is_some(), "{} {}", command.get_name(), arg.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
