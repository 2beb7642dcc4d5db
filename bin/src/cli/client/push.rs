//! `wasmwiz push`.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use reqwest::{Method, multipart};
use serde_json::Value;
use wasmwiz_core::module::Module;

use super::{Connection, pages, with_server};
use crate::cli::{Ending, Failure, output};

/// Upload a module. The same bytes under the same name are kept once; other bytes become the next version.
#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    /// The module: WebAssembly's binary format (.wasm) or its text format (.wat).
    file: PathBuf,
    /// Its name [default: the file's, without its extension].
    #[arg(long)]
    name: Option<String>,
    /// What it does, for those who see it in a list.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Let everybody who may use the server run it.
    #[arg(long)]
    public: bool,
    /// Write the module's record as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Push {
    pub(in crate::cli) fn run(self) -> Ending {
        let name = self.name()?;
        let file = self.file.display();
        let wasm = fs::read(&self.file).map_err(|error| Failure::io(format_args!("cannot read {file}"), &error))?;
        let visibility = if self.public { "public" } else { "private" };
        let part = multipart::Part::bytes(wasm).file_name(name.clone());
        let mut form = multipart::Form::new().text("name", name).text("visibility", visibility).part("wasm", part);
        if let Some(description) = self.description {
            form = form.text("description", description);
        }
        with_server(&self.connection, async |client| {
            let response = client.send(client.request(Method::POST, "/wasm/upload").multipart(form)).await?;
            let created = response.status() == reqwest::StatusCode::CREATED;
            let body = client.body(response).await?;
            let module: Value = serde_json::from_slice(&body)
                .map_err(|error| Failure::new(format!("the answer cannot be read: {error}")))?;
            if self.json {
                output::json(&module)?;
            } else {
                output::line(&said(&module, created))?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    fn name(&self) -> Result<String, Failure> {
        let stem = || self.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let name = self.name.clone().unwrap_or_else(stem);
        match Module::check_name(&name) {
            Ok(()) => Ok(name),
            Err(reason) if self.name.is_some() => Err(Failure::new(format!("--name {name}: {reason}"))),
            Err(reason) => Err(Failure::new(format!(
                "the file's name makes no module name; give one with --name. `{}`: {reason}",
                crate::cli::text::clean(&name)
            ))),
        }
    }
}

fn said(module: &Value, created: bool) -> String {
    let text = |key| crate::cli::text::clean(&pages::text(module, key));
    let what = if created { "stored" } else { "there already:" };
    format!(
        "{what} {}@{} ({}, sha256 {})\nRun it: wasmwiz exec {0}",
        text("name"),
        text("version"),
        pages::size(module, "size_bytes"),
        text("sha256")
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        push: Push,
    }

    fn name(line: &str) -> Result<String, Failure> {
        Line::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}")).push.name()
    }

    #[test]
    fn a_module_is_named_after_its_file() {
        assert_eq!(name("push dir/resize.wasm").unwrap(), "resize");
        assert_eq!(name("push dir/resize.wasm --name other").unwrap(), "other");
        let error = name("push dir/größe.wasm").unwrap_err();
        assert!(error.message().contains("give one with --name"), "{}", error.message());
    }

    #[test]
    fn what_was_stored_is_told_with_how_to_run_it() {
        let module = serde_json::json!({"name": "a", "version": 2, "size_bytes": 2048, "sha256": "ab"});
        assert_eq!(said(&module, true), "stored a@2 (2.0 KiB, sha256 ab)\nRun it: wasmwiz exec a");
        assert!(said(&module, false).starts_with("there already: a@2"));
    }
}
