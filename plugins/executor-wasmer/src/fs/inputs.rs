//! What an execution starts with, and what is left when it is over.

use bytes::Bytes;

use super::{
    Error, FileSystem, Kind, NAME_MAX, PATH_MAX, Timestamp,
    contents::Contents,
    tree::{Body, Id, Tree},
};

/// What is wrong with the path of an input file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathProblem {
    /// There is nothing in it.
    #[error("the path is empty")]
    Empty,
    /// It has `//` in it, or ends in `/`.
    #[error("the path has an empty component")]
    EmptyComponent,
    /// It has `.` or `..` in it, which could lead elsewhere than it looks.
    #[error("the path has a `.` or `..` component")]
    Dots,
    /// It has a NUL byte in it.
    #[error("the path has a NUL byte")]
    Nul,
    /// A component is over [`NAME_MAX`] bytes.
    #[error("the path has a component of more than 255 bytes")]
    LongName,
    /// It is over [`PATH_MAX`] bytes.
    #[error("the path has more than 4096 bytes")]
    LongPath,
}

/// Why an input file could not be put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddError {
    /// The path is none for an input file.
    #[error(transparent)]
    Path(#[from] PathProblem),
    /// The name is taken, or the quota does not allow it.
    #[error(transparent)]
    Refused(#[from] Error),
}

/// The names of a path. One slash at the start is the root that guests see.
fn names(path: &str) -> Result<Vec<&str>, PathProblem> {
    let relative = path.strip_prefix('/').unwrap_or(path);
    if relative.is_empty() {
        return Err(PathProblem::Empty);
    }
    if relative.len() > PATH_MAX {
        return Err(PathProblem::LongPath);
    }
    let names: Vec<&str> = relative.split('/').collect();
    for name in &names {
        match *name {
            "" => return Err(PathProblem::EmptyComponent),
            "." | ".." => return Err(PathProblem::Dots),
            name if name.contains('\0') => return Err(PathProblem::Nul),
            name if name.len() > NAME_MAX => return Err(PathProblem::LongName),
            _ => {}
        }
    }
    Ok(names)
}

impl Tree {
    /// Go to the directory that `names` lead to from the root, making what is missing.
    fn directories(&mut self, names: &[&str], now: Timestamp) -> Result<Id, Error> {
        let mut here = Id::ROOT;
        for name in names {
            here = match self.directory(here)?.get(name) {
                Some(id) => id,
                None => self.make_directory(here, name, now)?,
            };
        }
        self.directory(here)?;
        Ok(here)
    }

    fn add_file(&mut self, names: &[&str], bytes: Bytes, now: Timestamp) -> Result<(), Error> {
        let [parents @ .., name] = names else { return Err(Error::NotFound) };
        let parent = self.directories(parents, now)?;
        if self.directory(parent)?.get(name).is_some() {
            return Err(Error::Exists);
        }
        self.create(Body::File(Contents::shared(bytes)), parent, name, now).map(drop)
    }
}

impl FileSystem {
    /// Put a file in place, with the directories it needs. The bytes are shared until the guest writes.
    ///
    /// # Errors
    /// [`AddError::Path`] for a path that is empty, too long, or has empty components, `.`, `..` or NUL;
    /// [`AddError::Refused`] when the name is taken or the quota does not allow it.
    pub(crate) fn add_file(&self, path: &str, bytes: Bytes, now: Timestamp) -> Result<(), AddError> {
        self.add(path, |tree, names| tree.add_file(names, bytes, now))
    }

    /// Put a directory in place, with those above it, unless it is there.
    ///
    /// # Errors
    /// As [`FileSystem::add_file`].
    pub(crate) fn add_directory(&self, path: &str, now: Timestamp) -> Result<(), AddError> {
        self.add(path, |tree, names| tree.directories(names, now).map(drop))
    }

    fn add(&self, path: &str, add: impl FnOnce(&mut Tree, &[&str]) -> Result<(), Error>) -> Result<(), AddError> {
        let names = names(path)?;
        Ok(add(&mut self.lock(), &names)?)
    }

    /// All regular files with their paths relative to the root, each directory in the order its names were made.
    ///
    /// Paths over [`PATH_MAX`] bytes are left out: no path of a guest leads there, and they could get as
    /// long as the quota has entries.
    pub(crate) fn files(&self) -> Files {
        Files { system: self.clone(), open: vec![(Id::ROOT, 0, 0)], path: String::new() }
    }
}

/// Iterator over the regular files of a file system. See [`FileSystem::files`].
///
/// It is meant for a file system that nobody else works on any more.
pub(crate) struct Files {
    system: FileSystem,
    /// The directories being read: each with the cookie to go on from, and its length in `path`.
    open: Vec<(Id, u64, usize)>,
    path: String,
}

impl Iterator for Files {
    type Item = (String, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        let mut tree = self.system.lock();
        loop {
            let (here, cookie, length) = self.open.last_mut()?;
            self.path.truncate(*length);
            let entry = tree.directory(*here).ok().and_then(|directory| directory.after(*cookie).next());
            let Some((next, name, id)) = entry else {
                self.open.pop();
                continue;
            };
            *cookie = next;
            if !self.path.is_empty() {
                self.path.push('/');
            }
            self.path.push_str(name);
            if self.path.len() > PATH_MAX {
                continue;
            }
            match tree.kind(id) {
                Kind::Directory => self.open.push((id, 0, self.path.len())),
                Kind::File => {
                    if let Ok(contents) = tree.contents_mut(id) {
                        return Some((self.path.clone(), contents.share()));
                    }
                }
                Kind::Symlink => {}
            }
        }
    }
}
