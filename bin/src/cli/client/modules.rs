//! `wasmwiz modules`.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;
use wasmwiz_core::module::{Module, ModuleHash, ModuleRef, Visibility};

use super::{
    Client, Connection, id_of,
    pages::{self, Column, Listing},
    with_server,
};
use crate::cli::{Ending, Failure, output, table, text};

/// List, show, download and delete a server's modules.
///
/// A module is referred to by its name (the newest version), name@3, name@sha256:HASH or its id.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Modules {
    /// List your modules.
    List {
        /// Only those of this name.
        #[arg(long)]
        name: Option<String>,
        /// public: everybody's public ones; private: your private ones [default: all of your own].
        #[arg(long)]
        visibility: Option<Visibility>,
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one: its versions, what it imports and exports.
    Show {
        /// The module: name, name@3, name@sha256:HASH or id.
        #[arg(value_name = "REF")]
        reference: ModuleRef,
        /// Write JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete one version: the one referred to.
    Delete {
        /// The module: name (its newest version), name@3, name@sha256:HASH or id.
        #[arg(value_name = "REF")]
        reference: ModuleRef,
        #[command(flatten)]
        connection: Connection,
    },
    /// Download one's bytes, always in the binary format.
    Download {
        /// The module: name, name@3, name@sha256:HASH or id.
        #[arg(value_name = "REF")]
        reference: ModuleRef,
        /// Where to write them, `-` for standard output [default: NAME.wasm, if it is not there yet].
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: [Column; 7] = [
    ("name", |module| pages::text(module, "name")),
    ("version", |module| pages::text(module, "version")),
    ("size", |module| pages::size(module, "size_bytes")),
    ("visibility", |module| pages::text(module, "visibility")),
    ("created", |module| pages::time(module, "created_at")),
    ("last run", |module| pages::time(module, "last_executed_at")),
    ("description", |module| pages::text(module, "description")),
];

impl Modules {
    pub(in crate::cli) fn run(self) -> Ending {
        let connection = match &self {
            Self::List { connection, .. }
            | Self::Show { connection, .. }
            | Self::Delete { connection, .. }
            | Self::Download { connection, .. } => connection.clone(),
        };
        with_server(&connection, async |client| {
            match &self {
                Self::List { name, visibility, listing, .. } => {
                    let name = name.as_deref().map(|name| ("name", name));
                    let visibility = visibility.map(|visibility| ("visibility", visibility.as_str()));
                    let filters: Vec<_> = name.into_iter().chain(visibility).collect();
                    listing.show(client, "/wasm/modules", &filters, &COLUMNS).await?;
                }
                Self::Show { reference, json, .. } => {
                    let module = find(client, reference).await?;
                    if *json { output::json(&module)? } else { output::bytes(describe(&module).as_bytes())? }
                }
                Self::Delete { reference, .. } => {
                    let module = find(client, reference).await?;
                    client.delete(&format!("/wasm/modules/{}", id_of(&module)?)).await?;
                    output::line(&format!("deleted {}", title(&module)))?;
                }
                Self::Download { reference, output, .. } => download(client, reference, output.as_deref()).await?,
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn find(client: &Client, reference: &ModuleRef) -> Result<Value, Failure> {
    client.get(&format!("/wasm/modules/{reference}"), &[]).await
}

fn title(module: &Value) -> String {
    text::clean(&format!("{}@{}", pages::text(module, "name"), pages::text(module, "version")))
}

async fn download(client: &Client, reference: &ModuleRef, target: Option<&Path>) -> Result<(), Failure> {
    let module = find(client, reference).await?;
    // By id: between the two requests a name may come to mean a newer version.
    let path = format!("/wasm/modules/{}/content", id_of(&module)?);
    let response = client.send(client.request(Method::GET, &path)).await?;
    let wasm = client.body(response).await?;
    if ModuleHash::of(&wasm).to_string() != pages::text(&module, "sha256") {
        return Err(Failure::new(format!("what arrived is not {}: its sha256 is another", title(&module))));
    }
    if target == Some(Path::new("-")) {
        return output::bytes(&wasm);
    }
    let name = pages::text(&module, "name");
    // The name comes from the server, which does not decide where on this machine is written.
    Module::check_name(&name).map_err(|reason| Failure::new(format!("the module's name {reason}")))?;
    let by_name = PathBuf::from(format!("{name}.wasm"));
    let path = target.unwrap_or(&by_name);
    let written = match target {
        Some(path) => fs::write(path, &wasm),
        None => fs::File::create_new(path).and_then(|mut file| file.write_all(&wasm)),
    };
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(format!("{} is there already; name a file with --output", path.display()))
        }
        _ => Failure::io(format_args!("cannot write {}", path.display()), &error),
    })?;
    output::line(&format!("wrote {} to {} ({})", title(&module), path.display(), text::size(wasm.len() as u64)))
}

fn describe(module: &Value) -> String {
    let field = |key: &'static str| (key, pages::text(module, key));
    let mut text = table::fields(&[
        ("module", title(module)),
        field("id"),
        field("description"),
        field("visibility"),
        ("size", pages::size(module, "size_bytes")),
        field("sha256"),
        ("ABI", pages::text(module, "abi")),
        ("created", pages::time(module, "created_at")),
        ("last run", pages::time(module, "last_executed_at")),
    ]);
    section(&mut text, module, "versions", |item| {
        format!("{} {}", pages::text(item, "version"), pages::time(item, "created_at"))
    });
    section(&mut text, module, "imports", |item| {
        format!("{}.{} {}", pages::text(item, "module"), pages::text(item, "name"), pages::text(item, "type"))
    });
    section(&mut text, module, "exports", |item| {
        format!("{} {}", pages::text(item, "name"), pages::text(item, "type"))
    });
    text
}

fn section(text: &mut String, module: &Value, key: &str, line: fn(&Value) -> String) {
    let items = module[key].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return;
    }
    text.push_str(&format!("{key}:\n"));
    for item in items {
        text.push_str(&format!("  {}\n", text::clean(&line(item))));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_module_is_described_with_what_it_needs_and_offers() {
        let module = json!({
            "id": "1", "name": "add", "version": 2, "size_bytes": 41, "abi": "none", "imports": [],
            "exports": [{"name": "add", "type": "(func (param i32 i32) (result i32))"}],
        });
        let text = describe(&module);
        assert!(text.starts_with("module:       add@2\n"), "{text}");
        assert!(text.ends_with("exports:\n  add (func (param i32 i32) (result i32))\n"), "{text}");
        assert!(!text.contains("imports"), "{text}");
    }
}
