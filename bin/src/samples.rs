//! The modules that a server offers to everybody from the start.

use bytes::Bytes;
use serde::Deserialize;
use wasmwiz_core::{Error, Platform, Result, module::Visibility, platform::Upload, principal::User};

/// Their list. What else it says of them is for the pages that show them.
const LIST: &str = include_str!("../../tests/guests/samples/samples.toml");

macro_rules! files {
    ($($path:literal),+ $(,)?) => {
        /// Their bytes, by the path that the list has.
        const FILES: &[(&str, &[u8])] =
            &[$(($path, include_bytes!(concat!("../../tests/guests/samples/", $path)))),+];
    };
}

files!(
    "hello/hello.wasm",
    "echo/echo.wasm",
    "wordcount/wordcount.wasm",
    "fibonacci/fibonacci.wasm",
    "textcase/textcase.wasm",
    "mandelbrot/mandelbrot.wasm",
);

#[derive(Debug, Deserialize)]
struct List {
    sample: Vec<Sample>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    name: String,
    file: String,
    description: String,
}

/// Store the samples that are not there yet. A sample that changed with the program becomes its next version.
///
/// # Errors
/// When they cannot be stored.
pub(crate) async fn install(platform: &Platform) -> Result<()> {
    for sample in samples()? {
        let bytes = FILES.iter().find(|(file, _)| *file == sample.file).map(|(_, bytes)| *bytes);
        let bytes =
            bytes.ok_or_else(|| Error::internal("store the samples", format!("{} is not linked", sample.file)))?;
        let upload = Upload {
            name: sample.name,
            description: sample.description,
            visibility: Visibility::Public,
            bytes: Bytes::from_static(bytes),
        };
        let inserted = platform.upload(User::SAMPLES, upload).await?;
        if inserted.created {
            tracing::debug!(name = inserted.module.name, version = inserted.module.version, "sample stored");
        }
    }
    Ok(())
}

fn samples() -> Result<Vec<Sample>> {
    let list: List = toml::from_str(LIST).map_err(|error| Error::internal("read the list of samples", error))?;
    Ok(list.sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_of_the_list_is_linked_and_every_linked_one_is_listed() {
        let listed: Vec<String> = samples().unwrap().into_iter().map(|sample| sample.file).collect();
        let linked: Vec<&str> = FILES.iter().map(|(file, _)| *file).collect();
        assert_eq!(listed, linked);
        assert!(FILES.iter().all(|(_, bytes)| bytes.starts_with(b"\0asm")));
    }
}
