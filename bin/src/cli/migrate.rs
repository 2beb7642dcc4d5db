//! `wasmwiz migrate`.

use std::{path::absolute, process::ExitCode};

use clap::Args;
use wasmwiz_core::{plugin::Registry, storage::Storage, system::System};

use super::{Ending, Failure, output, settings::Settings, text::count};

/// Bring the database's schema up to date.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Only tell how the schema stands; the exit code is 1 when it is behind.
    #[arg(long)]
    status: bool,
}

impl Migrate {
    pub(super) fn run(self, settings: &Settings) -> Ending {
        let config = settings.load()?;
        crate::logging::init(&config, crate::logging::filter(&config).map_err(Failure::new)?);
        super::serve::runtime()?.block_on(async {
            let data_dir = absolute(&config.server.data_dir).map_err(|error| Failure::io("server.data_dir", &error))?;
            super::serve::create_data_dir(&data_dir)?;
            let system = System::new(Some(data_dir));
            let plugin = Registry::<dyn Storage>::linked()?.get(&config.selection.storage)?;
            let storage = plugin.build(config.figment(), system).await?;
            let ending = self.migrate(storage.as_ref()).await;
            storage.close().await;
            ending
        })
    }

    async fn migrate(&self, storage: &dyn Storage) -> Ending {
        let before = storage.schema().await?;
        if self.status {
            let applied = count(before.applied as u64, "migration");
            if before.pending == 0 {
                output::line(&format!("the schema is up to date: {applied} applied"))?;
                return Ok(ExitCode::SUCCESS);
            }
            output::line(&format!("the schema is behind: {applied} applied, {} pending", before.pending))?;
            return Ok(ExitCode::FAILURE);
        }
        let after = storage.migrate().await?;
        output::line(&match before.pending {
            0 => {
                format!("the schema is up to date: {} applied, nothing to do", count(after.applied as u64, "migration"))
            }
            pending => format!("applied {}: the schema is up to date", count(pending as u64, "migration")),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
