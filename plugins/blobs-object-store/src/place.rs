//! Which store a URL means.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::{ObjectStore, limit::LimitStore, local::LocalFileSystem, memory::InMemory};
use url::Url;

use crate::config::ObjectStoreConfig;

/// The folder's name in the data folder.
const FOLDER_NAME: &str = "blobs";

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("`blobs.object_store.url` is `{url}`, which is no URL ({source}); write file:///a/folder or memory://")]
    NotAUrl {
        url: String,
        #[source]
        source: url::ParseError,
    },
    #[error("`blobs.object_store.url` is `{0}`; a file URL names an absolute folder of this machine: file:///a/folder")]
    NotAFolder(Url),
    #[error("`blobs.object_store.url` has the scheme `{0}`, which is not built in; what is: file, memory")]
    NotBuiltIn(String),
    #[error("cannot create the folder `{}`", .0.display())]
    Create(PathBuf, #[source] io::Error),
    #[error("cannot open the folder `{}`", .0.display())]
    Open(PathBuf, #[source] object_store::Error),
}

/// Where bytes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Memory,
    Folder(PathBuf),
}

impl Place {
    /// Decide by the configuration and the data folder.
    pub(crate) fn of(url: &str, data_dir: Option<&Path>) -> Result<Self, OpenError> {
        if url.is_empty() {
            let Some(data_dir) = data_dir else { return Ok(Self::Memory) };
            let folder = data_dir.join(FOLDER_NAME);
            // Absolute, so that it stays the same folder whatever the working folder becomes.
            return std::path::absolute(&folder).map(Self::Folder).map_err(|error| OpenError::Create(folder, error));
        }
        let url = Url::parse(url).map_err(|source| OpenError::NotAUrl { url: url.to_owned(), source })?;
        match url.scheme() {
            "memory" => Ok(Self::Memory),
            // `to_file_path` takes any host-less file URL; `file:x` and `file://x` would quietly mean `/x` and a host.
            "file" => match url.to_file_path() {
                Ok(folder) if folder.parent().is_some() => Ok(Self::Folder(folder)),
                _ => Err(OpenError::NotAFolder(url)),
            },
            // The URL itself is not repeated: it may hold credentials.
            scheme => Err(OpenError::NotBuiltIn(scheme.to_owned())),
        }
    }

    /// Open the store, and create its folder when it is not there.
    pub(crate) fn open(&self, config: &ObjectStoreConfig) -> Result<Arc<dyn ObjectStore>, OpenError> {
        let Self::Folder(folder) = self else {
            return Ok(Arc::new(LimitStore::new(InMemory::new(), config.max_concurrent)));
        };
        create(folder).map_err(|error| OpenError::Create(folder.clone(), error))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| OpenError::Open(folder.clone(), error))?
            // File and folder are on the disk before `put` returns: the record that points to them will be, too.
            .with_fsync(true);
        Ok(Arc::new(LimitStore::new(store, config.max_concurrent)))
    }
}

/// Create the folder, readable by its owner alone: the modules are their users' own.
fn create(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_url_bytes_are_kept_in_the_data_folder_or_in_memory() {
        assert_eq!(Place::of("", None).unwrap(), Place::Memory);
        assert_eq!(Place::of("", Some(Path::new("/data"))).unwrap(), Place::Folder("/data/blobs".into()));
        let relative = Place::of("", Some(Path::new("./data"))).unwrap();
        assert!(matches!(relative, Place::Folder(folder) if folder.is_absolute()));
    }

    #[test]
    fn a_url_names_a_folder_or_memory() {
        assert_eq!(Place::of("memory://", Some(Path::new("/data"))).unwrap(), Place::Memory);
        assert_eq!(Place::of("file:///a%20b/c", None).unwrap(), Place::Folder("/a b/c".into()));
    }

    #[test]
    fn a_url_that_cannot_be_used_says_what_would_be_right() {
        for (url, says) in [
            ("s3://bucket/modules", "the scheme `s3`, which is not built in; what is: file, memory"),
            ("gs://key:secret@bucket", "the scheme `gs`, which is not built in; what is: file, memory"),
            ("./blobs", "no URL"),
            ("file://blobs", "a file URL names an absolute folder of this machine"),
            ("file:///", "a file URL names an absolute folder of this machine"),
        ] {
            let error = Place::of(url, None).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
