//! The commands that talk to a server.

pub(super) mod exec;
mod http;
pub(super) mod keys;
pub(super) mod modules;
mod pages;
mod problem;
pub(super) mod push;
pub(super) mod users;

use std::process::ExitCode;

use serde_json::Value;
use uuid::Uuid;

use self::http::{Client, Connection};
use super::{Ending, Failure};

/// Do `work` with a client of the server that `connection` names.
fn with_server<W: AsyncFnOnce(&Client) -> Result<ExitCode, Failure>>(connection: &Connection, work: W) -> Ending {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("cannot start", &error))?;
    runtime.block_on(async { work(&Client::new(connection)?).await })
}

/// The id in an answer. It becomes part of a path, so it must be one.
fn id_of(answer: &Value) -> Result<Uuid, Failure> {
    let id = answer["id"].as_str().and_then(|id| Uuid::try_parse(id).ok());
    id.ok_or_else(|| Failure::new("the answer is not what a WasmWiz server sends: it has no id"))
}
