//! Files that go into a sandbox and come out of it.

use bytes::Bytes;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The longest path below a guest's root, in bytes (Linux PATH_MAX less the NUL).
pub const MAX_PATH: usize = 4095;
/// The longest name of a file or directory, in bytes (Linux NAME_MAX).
pub const MAX_NAME: usize = 255;
/// The most patterns one request may collect files by; each is matched against every file.
pub const MAX_PATTERNS: usize = 64;

/// A file or directory laid out for a guest before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Its path below the guest's root, checked by [`check_path`].
    pub path: String,
    /// Its content; `None` for a directory.
    pub content: Option<Bytes>,
}

impl InputFile {
    /// Take a path as a caller wrote it; one that ends in `/` is a directory and can have no content.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the path.
    pub fn new(path: &str, content: Bytes) -> Result<Self, String> {
        let relative = path.trim_start_matches('/');
        let directory = relative.strip_suffix('/');
        check_path(directory.unwrap_or(relative))?;
        match directory {
            Some(_) if !content.is_empty() => Err("a path that ends in `/` is a directory and has no content".into()),
            Some(directory) => Ok(Self { path: directory.to_owned(), content: None }),
            None => Ok(Self { path: relative.to_owned(), content: Some(content) }),
        }
    }
}

/// Check a path below a guest's root: no empty, `.` or `..` parts, no NUL, no part or whole too long.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("a path must name something below the guest's root".into());
    }
    if path.len() > MAX_PATH {
        return Err(format!("a path has at most {MAX_PATH} bytes"));
    }
    if path.contains('\0') {
        return Err("a path must not contain NUL".into());
    }
    for part in path.split('/') {
        match part {
            "" => return Err("a path must not contain empty parts (`//`)".into()),
            "." | ".." => return Err(format!("a path must not contain `{part}`")),
            _ if part.len() > MAX_NAME => return Err(format!("a part of a path has at most {MAX_NAME} bytes")),
            _ => {}
        }
    }
    Ok(())
}

/// Patterns of files to return, as in a shell: `*` and `?` stay within a directory, `**` does not.
#[derive(Clone, Debug, Default)]
pub struct FileGlobs(Option<GlobSet>);

impl FileGlobs {
    /// Read patterns.
    ///
    /// # Errors
    /// The place of the bad pattern and what is wrong with it.
    pub fn new(patterns: &[String]) -> Result<Self, (usize, String)> {
        if patterns.is_empty() {
            return Ok(Self(None));
        }
        if patterns.len() > MAX_PATTERNS {
            return Err((MAX_PATTERNS, format!("at most {MAX_PATTERNS} patterns are taken")));
        }
        let mut set = GlobSetBuilder::new();
        for (index, pattern) in patterns.iter().enumerate() {
            if pattern.len() > MAX_PATH {
                return Err((index, format!("a pattern has at most {MAX_PATH} bytes")));
            }
            let glob = GlobBuilder::new(pattern.trim_start_matches('/')).literal_separator(true).build();
            set.add(glob.map_err(|error| (index, error.kind().to_string()))?);
        }
        set.build().map(|set| Self(Some(set))).map_err(|error| (0, error.kind().to_string()))
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the file at `path` (without a leading slash) is asked for.
    pub fn matches(&self, path: &str) -> bool {
        self.0.as_ref().is_some_and(|set| set.is_match(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_root_are_refused() {
        for path in ["", "..", "a/../b", "a//b", ".", "a/./b", "a\0b", &"x".repeat(256), &"x/".repeat(3000)] {
            assert!(check_path(path).is_err(), "{path}");
        }
        assert_eq!(InputFile::new("/in/a.txt", Bytes::new()).unwrap().path, "in/a.txt");
        assert_eq!(InputFile::new("out/", Bytes::new()).unwrap().content, None);
        assert!(InputFile::new("out/", Bytes::from_static(b"x")).is_err());
    }

    #[test]
    fn a_star_stays_within_its_directory() {
        let globs = FileGlobs::new(&["out/*.json".into(), "/deep/**".into()]).unwrap();
        assert!(globs.matches("out/a.json"));
        assert!(!globs.matches("out/b/a.json"));
        assert!(globs.matches("deep/b/a.json"));
        assert_eq!(FileGlobs::new(&["ok".into(), "[".into()]).unwrap_err().0, 1);
    }
}
