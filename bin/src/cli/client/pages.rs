//! Lists, fetched page by page.

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::Client;
use crate::cli::{Failure, output, table::table};

/// The most items one answer has.
const PAGE: usize = 100;

/// How much of a list is wanted.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Listing {
    /// Show at most so many, newest first.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    next_cursor: Option<String>,
}

/// One column of a table: its name, and what of an item stands in it.
pub(super) type Column = (&'static str, fn(&Value) -> String);

impl Listing {
    /// Fetch and show a list.
    pub(super) async fn show(
        &self,
        client: &Client,
        path: &str,
        filters: &[(&str, &str)],
        columns: &[Column],
    ) -> Result<(), Failure> {
        let (items, more) = self.fetch(client, path, filters).await?;
        if self.json {
            return output::json(&items);
        }
        if items.is_empty() {
            output::note("none");
            return Ok(());
        }
        let heading: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let rows: Vec<Vec<String>> =
            items.iter().map(|item| columns.iter().map(|(_, cell)| cell(item)).collect()).collect();
        output::bytes(table(&heading, &rows).as_bytes())?;
        if more {
            output::note(&format!("There are more than these {}; ask for them with --limit.", items.len()));
        }
        Ok(())
    }

    async fn fetch(
        &self,
        client: &Client,
        path: &str,
        filters: &[(&str, &str)],
    ) -> Result<(Vec<Value>, bool), Failure> {
        let wanted = self.limit as usize;
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let limit = (wanted - items.len()).min(PAGE).to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend_from_slice(filters);
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page: Page = client.get(path, &query).await?;
            // A server that repeats itself must not keep this going for ever.
            let ended = page.items.is_empty() || page.next_cursor == cursor;
            items.extend(page.items);
            items.truncate(wanted);
            cursor = page.next_cursor;
            if ended || cursor.is_none() || items.len() >= wanted {
                return Ok((items, cursor.is_some()));
            }
        }
    }
}

/// What an item says under `key`, as text; nothing for what it does not say.
pub(super) fn text(item: &Value, key: &str) -> String {
    match &item[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// What an item says under `key`, as a time; `-` where there is none.
pub(super) fn time(item: &Value, key: &str) -> String {
    item[key].as_str().map_or_else(|| "-".into(), crate::cli::text::time)
}

/// What an item says under `key`, as a size.
pub(super) fn size(item: &Value, key: &str) -> String {
    item[key].as_u64().map(crate::cli::text::size).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_readable_whatever_an_item_says() {
        let item = json!({"a": "x", "n": 3, "list": ["keys", "execute"], "at": "2026-11-24T01:00:00Z", "size": 2048});
        let cells = [text(&item, "a"), text(&item, "n"), text(&item, "list"), text(&item, "gone")];
        assert_eq!(cells, ["x", "3", "keys execute", ""]);
        assert_eq!((time(&item, "at"), time(&item, "gone")), ("2026-11-24 01:00:00 UTC".into(), "-".into()));
        assert_eq!(size(&item, "size"), "2.0 KiB");
    }
}
