//! `wasmwiz users`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wasmwiz_core::principal::Role;

use super::{
    Client, Connection, id_of, keys,
    pages::{self, Column, Listing},
    with_server,
};
use crate::cli::{Ending, Failure, output, table};

/// List and create users; for administrators.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Users {
    /// List users.
    List {
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        connection: Connection,
    },
    /// Create a user and their first key, whose secret is shown this once.
    Create(Create),
}

/// Create a user and their first key, whose secret is shown this once.
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// Their name, unique on the server; an e-mail address will do.
    #[arg(long)]
    name: String,
    /// The tier whose quotas and limits hold for their keys [default: the server's lowest].
    #[arg(long)]
    tier: Option<String>,
    /// What they may do: user or admin [default: user].
    #[arg(long)]
    role: Option<Role>,
    /// Write JSON: the user, and the key with its secret.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

const COLUMNS: [Column; 5] = [
    ("id", |user| pages::text(user, "id")),
    ("name", |user| pages::text(user, "name")),
    ("tier", |user| pages::text(user, "tier")),
    ("role", |user| pages::text(user, "role")),
    ("created", |user| pages::time(user, "created_at")),
];

impl Users {
    pub(in crate::cli) fn run(self) -> Ending {
        match self {
            Self::List { listing, connection } => with_server(&connection, async |client| {
                listing.show(client, "/admin/users", &[], &COLUMNS).await?;
                Ok(ExitCode::SUCCESS)
            }),
            Self::Create(create) => with_server(&create.connection, async |client| create.send(client).await),
        }
    }
}

impl Create {
    async fn send(&self, client: &Client) -> Ending {
        let mut body = json!({ "name": self.name });
        if let Some(tier) = &self.tier {
            body["tier"] = json!(tier);
        }
        if let Some(role) = self.role {
            body["role"] = json!(role);
        }
        let mut first_key = json!({ "name": "first" });
        if let Some(role) = self.role {
            first_key["role"] = json!(role);
        }
        let user = client.post("/admin/users", &body).await?;
        let id = id_of(&user)?;
        let path = format!("/admin/users/{id}/keys");
        let key = client.post(&path, &first_key).await.inspect_err(|_| {
            output::complain(&format!("the user {} ({id}) was created, their key was not", self.name));
        })?;
        self.show(&user, &key)?;
        Ok(ExitCode::SUCCESS)
    }

    fn show(&self, user: &Value, key: &Value) -> Result<(), Failure> {
        if self.json {
            return output::json(&json!({ "user": user, "key": key }));
        }
        let text = |key| pages::text(user, key);
        let fields = [("user", text("name")), ("user id", text("id")), ("role", text("role"))];
        output::bytes(table::fields(&fields).as_bytes())?;
        keys::show_new(key, false)
    }
}
