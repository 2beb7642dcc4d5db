//! Helper processes: the program starts itself again to do something that must not be able to hurt it.
//!
//! A plugin submits a [`Helper`]; the program's `main` calls [`dispatch`] before it does anything else; the plugin
//! starts its helper with [`command`].

use std::process::{Command, ExitCode};

/// The first argument of a helper process. Not a subcommand: nobody types it.
const ARGUMENT: &str = "--wasmwiz-helper";

/// Something the program does in a process of its own.
pub struct Helper {
    /// Its name.
    pub name: &'static str,
    /// What it does. It talks over standard input and output.
    pub run: fn() -> ExitCode,
}

inventory::collect!(Helper);

/// If this process was started as a helper, do what it is to do. To be called first thing in `main`, while the
/// process has one thread and has opened nothing.
pub fn dispatch() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != ARGUMENT {
        return None;
    }
    let name = args.next().unwrap_or_default();
    let helper = inventory::iter::<Helper>.into_iter().find(|helper| name == helper.name);
    Some(helper.map_or(ExitCode::from(64), |helper| (helper.run)()))
}

/// The command that starts a helper: this very program, with an empty environment and in the root folder.
///
/// # Errors
/// When the program's own file cannot be found.
pub fn command(name: &str) -> std::io::Result<Command> {
    // On Linux the link leads to the running program even after its file was replaced by an upgrade.
    let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
    let mut command = Command::new(program);
    command.arg(ARGUMENT).arg(name).env_clear().current_dir("/");
    Ok(command)
}
