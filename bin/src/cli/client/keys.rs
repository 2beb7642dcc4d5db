//! `wasmwiz keys`.

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;
use wasmwiz_core::{
    principal::{Role, Scope},
    system::{Clock, SystemClock},
};

use super::{
    Client, Connection,
    pages::{self, Column, Listing},
    with_server,
};
use crate::cli::{Ending, Failure, output, table, text};

/// List, create and revoke your API keys.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Keys {
    /// List your keys, revoked and expired ones too.
    List {
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        connection: Connection,
    },
    /// Create a key. Its secret is shown this once.
    Create(Create),
    /// Revoke a key: it is refused from now on.
    Revoke {
        /// The key's id, from `wasmwiz keys list`.
        id: Uuid,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Create a key. Its secret is shown this once.
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// What you call it.
    #[arg(long)]
    name: String,
    /// The tier whose quotas and limits hold for it: your own or a lower one [default: your own].
    #[arg(long)]
    tier: Option<String>,
    /// What it may do: user, or admin if your own key is [default: user].
    #[arg(long)]
    role: Option<Role>,
    /// What it may be used for: modules:read, modules:write, execute, keys, admin; repeat it for more [default: as yours].
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// When it ends by itself: a number and s, m, h, d or w, such as 30d [default: never].
    #[arg(long, value_name = "TIME", value_parser = text::parse_duration)]
    expires_in: Option<Duration>,
    /// Write the key's record as JSON, with its secret.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

const COLUMNS: [Column; 9] = [
    ("id", |key| pages::text(key, "id")),
    ("name", |key| pages::text(key, "name")),
    ("prefix", |key| pages::text(key, "prefix")),
    ("tier", |key| pages::text(key, "tier")),
    ("role", |key| pages::text(key, "role")),
    ("state", state),
    ("expires", |key| pages::time(key, "expires_at")),
    ("last used", |key| pages::time(key, "last_used_at")),
    ("scopes", |key| pages::text(key, "scopes")),
];

impl Keys {
    pub(in crate::cli) fn run(self) -> Ending {
        match self {
            Self::List { listing, connection } => with_server(&connection, async |client| {
                listing.show(client, "/auth/keys", &[], &COLUMNS).await?;
                Ok(ExitCode::SUCCESS)
            }),
            Self::Create(create) => with_server(&create.connection, async |client| create.send(client).await),
            Self::Revoke { id, connection } => with_server(&connection, async |client| {
                client.delete(&format!("/auth/keys/{id}")).await?;
                output::line(&format!("revoked {id}"))?;
                Ok(ExitCode::SUCCESS)
            }),
        }
    }
}

impl Create {
    async fn send(&self, client: &Client) -> Ending {
        let key = client.post("/auth/keys", &self.body()?).await?;
        show_new(&key, self.json)?;
        Ok(ExitCode::SUCCESS)
    }

    fn body(&self) -> Result<Value, Failure> {
        let mut body = json!({ "name": self.name });
        if let Some(tier) = &self.tier {
            body["tier"] = json!(tier);
        }
        if let Some(role) = self.role {
            body["role"] = json!(role);
        }
        if !self.scopes.is_empty() {
            body["scopes"] = json!(self.scopes);
        }
        if let Some(expires_in) = self.expires_in {
            let end = SystemClock::default().now().checked_add_signed(
                chrono::Duration::from_std(expires_in)
                    .map_err(|error| Failure::new(format!("--expires-in: {error}")))?,
            );
            body["expires_at"] = json!(end);
        }
        Ok(body)
    }
}

/// Show a key that was just made: its secret on a line of its own, so that a script can take the last one.
pub(super) fn show_new(key: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(key);
    }
    output::bytes(
        table::fields(&[
            ("id", pages::text(key, "id")),
            ("name", pages::text(key, "name")),
            ("tier", pages::text(key, "tier")),
            ("scopes", pages::text(key, "scopes")),
            ("expires", pages::time(key, "expires_at")),
        ])
        .as_bytes(),
    )?;
    output::note("The key itself, shown this once:");
    output::line(&text::clean(&pages::text(key, "secret")))
}

fn state(key: &Value) -> String {
    let expired = key["expires_at"].as_str().and_then(|end| chrono::DateTime::parse_from_rfc3339(end).ok());
    let expired = expired.is_some_and(|end| end <= SystemClock::default().now());
    let state = match key["revoked_at"].is_null() {
        false => "revoked",
        true if expired => "expired",
        true => "valid",
    };
    state.into()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    #[test]
    fn only_what_was_asked_for_is_sent() {
        let create =
            |line: &str| Line::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}")).create;
        assert_eq!(create("create --name ci").body().unwrap(), json!({"name": "ci"}));
        let body = create("create --name ci --tier free --scope execute --scope modules:read --expires-in 30d")
            .body()
            .unwrap();
        assert_eq!(body["scopes"], json!(["execute", "modules:read"]));
        assert!(body["expires_at"].as_str().is_some_and(|end| end.ends_with('Z')), "{body}");
        assert!(Line::try_parse_from(["create", "--name", "x", "--scope", "everything"]).is_err());
    }

    #[test]
    fn a_key_is_valid_until_it_is_revoked_or_expires() {
        assert_eq!(state(&json!({"revoked_at": null, "expires_at": "2999-01-01T00:00:00Z"})), "valid");
        assert_eq!(state(&json!({"expires_at": "2001-01-01T00:00:00Z"})), "expired");
        assert_eq!(state(&json!({"revoked_at": "2001-01-01T00:00:00Z"})), "revoked");
    }
}
