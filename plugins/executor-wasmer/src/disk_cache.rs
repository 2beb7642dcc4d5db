//! Compiled modules on disk, sealed.
//!
//! An artifact is machine code that the server will run, so a file is only believed if its HMAC-SHA-256 (RFC 2104)
//! under a key of the server's is right. The MAC covers the file's name, which holds the module's hash and everything
//! the compiled form depends on, so that files cannot be swapped either. What does not verify is compiled again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmwiz_core::{module::ModuleHash, system::Random};

use crate::engine;

const MAC_LEN: usize = 32;
const EXTENSION: &str = "artifact";
/// A temporary file older than this was left by a crash.
const TEMPORARY_FOR: Duration = Duration::from_secs(600);

/// A folder of sealed artifacts.
pub(crate) struct DiskCache {
    folder: PathBuf,
    key: [u8; 32],
    fingerprint: String,
    max_bytes: u64,
    /// One thread tidies at a time.
    tidying: Mutex<()>,
}

impl DiskCache {
    /// Open the cache in `folder`, sealed with the key in the file `key`; both are made if they are not there.
    pub(crate) fn open(folder: PathBuf, key: &Path, max_bytes: u64, random: &dyn Random) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        let key = load_or_make_key(key, random)?;
        Ok(Self { folder, key, fingerprint: engine::fingerprint(), max_bytes, tidying: Mutex::new(()) })
    }

    /// Give a module's artifact, if it is there and as it was written.
    pub(crate) fn read(&self, sha256: &ModuleHash) -> Option<Bytes> {
        let path = self.path(sha256);
        let mut file = File::open(&path).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let bytes = Bytes::from(bytes);
        let sealed = bytes.len() >= MAC_LEN && {
            let (mac, artifact) = bytes.split_at(MAC_LEN);
            self.seal(&path, artifact).verify_slice(mac).is_ok()
        };
        if !sealed {
            tracing::warn!(file = %path.display(), "a cached artifact was changed or cut short; the module is compiled again");
            let _ = fs::remove_file(&path);
            return None;
        }
        // The file's age is how long it was not used; failing to note it costs a compilation at worst.
        let _ = file.set_modified(now());
        Some(bytes.slice(MAC_LEN..))
    }

    /// Keep an artifact. Failing costs a compilation later, so it is logged and no more.
    pub(crate) fn write(&self, sha256: &ModuleHash, artifact: &[u8]) {
        let path = self.path(sha256);
        let kept = self.try_write(&path, artifact).and_then(|()| self.tidy());
        if let Err(error) = kept {
            tracing::warn!(file = %path.display(), %error, "a compiled module could not be cached on disk");
        }
    }

    fn try_write(&self, path: &Path, artifact: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(&self.folder)?;
        file.write_all(&self.seal(path, artifact).finalize().into_bytes())?;
        file.write_all(artifact)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Remove what was unused longest until the folder is within its bound.
    fn tidy(&self) -> io::Result<()> {
        let Ok(_alone) = self.tidying.try_lock() else { return Ok(()) };
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Ok(metadata) = entry.metadata() else { continue };
            let (path, used) = (entry.path(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                files.push((used, metadata.len(), path));
            } else if now().duration_since(used).is_ok_and(|age| age > TEMPORARY_FOR) {
                let _ = fs::remove_file(path);
            }
        }
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, bytes, path) in files {
            if total <= self.max_bytes {
                break;
            }
            // One that cannot be removed, or is gone already, keeps nobody from removing the next.
            if fs::remove_file(path).is_ok() {
                total -= bytes;
            }
        }
        Ok(())
    }

    fn path(&self, sha256: &ModuleHash) -> PathBuf {
        let settings = Sha256::digest(self.fingerprint.as_bytes());
        let settings: String = settings[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{sha256}-{settings}.{EXTENSION}"))
    }

    fn seal(&self, path: &Path, artifact: &[u8]) -> Hmac<Sha256> {
        // An HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).unwrap_or_else(|_| unreachable!());
        mac.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        mac.update(&[0]);
        mac.update(self.fingerprint.as_bytes());
        mac.update(&[0]);
        mac.update(artifact);
        mac
    }
}

/// Files carry the machine's time, so their age is measured by it too.
#[expect(clippy::disallowed_methods, reason = "compared with the file system's own timestamps")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Read the key, which only its owner may read; make a new one if there is none or if others could have read it.
fn load_or_make_key(path: &Path, random: &dyn Random) -> io::Result<[u8; 32]> {
    match File::open(path) {
        Ok(mut file) => {
            let mut key = [0; 32];
            let private = file.metadata()?.permissions().mode() & 0o077 == 0;
            if private && file.read_exact(&mut key).is_ok() {
                return Ok(key);
            }
            tracing::warn!(file = %path.display(), "the artifact key was readable by others or cut short; making a new one");
            fs::remove_file(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut key = [0; 32];
    random.fill(&mut key);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use wasmwiz_core::system::SystemRandom;

    use super::*;

    fn open(folder: &Path, max_bytes: u64) -> DiskCache {
        DiskCache::open(folder.join("artifacts"), &folder.join("artifact.key"), max_bytes, &SystemRandom).unwrap()
    }

    #[test]
    fn an_artifact_is_read_back_by_the_same_server_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let hash = ModuleHash::of(b"module");
        open(folder.path(), 1 << 20).write(&hash, b"machine code");
        let cache = open(folder.path(), 1 << 20);
        assert_eq!(cache.read(&hash).as_deref(), Some(&b"machine code"[..]));
        let mode = fs::metadata(folder.path().join("artifact.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_was_changed_cut_short_or_swapped_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 1 << 20);
        let (one, two) = (ModuleHash::of(b"one"), ModuleHash::of(b"two"));
        let good = |hash| {
            cache.write(hash, b"machine code");
            fs::read(cache.path(hash)).unwrap()
        };
        for change in 0..good(&one).len() {
            let mut bytes = good(&one);
            bytes[change] ^= 1;
            fs::write(cache.path(&one), &bytes).unwrap();
            assert_eq!(cache.read(&one), None, "byte {change}");
        }
        for length in [0, 31, 32, 40] {
            fs::write(cache.path(&one), &good(&one)[..length]).unwrap();
            assert_eq!(cache.read(&one), None, "length {length}");
        }
        fs::write(cache.path(&two), good(&one)).unwrap();
        assert_eq!(cache.read(&two), None);
    }

    #[test]
    fn a_key_that_others_could_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let hash = ModuleHash::of(b"module");
        open(folder.path(), 1 << 20).write(&hash, b"machine code");
        fs::set_permissions(folder.path().join("artifact.key"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(open(folder.path(), 1 << 20).read(&hash), None);
    }

    #[test]
    fn the_folder_stays_within_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 3000);
        for number in 0..10_u8 {
            cache.write(&ModuleHash::of(&[number]), &[0; 1000]);
        }
        let total: u64 =
            fs::read_dir(&cache.folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(total <= 3000, "{total}");
        assert!(total >= 1000, "{total}");
    }
}
