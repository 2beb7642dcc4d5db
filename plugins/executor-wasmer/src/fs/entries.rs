//! Making, moving and removing what directories hold, by the rules of POSIX (errors as on Linux).

use std::sync::Arc;

use super::{
    Error, Follow, Kind, PATH_MAX, Timestamp,
    contents::Contents,
    handle::Open,
    resolve::Place,
    tree::{Body, Directory, Id, Tree},
};

impl Tree {
    /// Find or make what `open` asks for.
    pub(crate) fn open(&mut self, start: Id, path: &str, open: &Open, now: Timestamp) -> Result<Id, Error> {
        if open.create && path.ends_with('/') {
            // What is made is a file, so the slash is wrong whatever is there.
            return self.resolve(start, path, Follow::Never).and(Err(Error::IsDirectory));
        }
        let follow = if open.follow && !(open.create && open.exclusive) { Follow::Always } else { Follow::Slash };
        let place = self.resolve(start, path, follow)?;
        let Ok(id) = place.existing() else {
            let Place::Entry { parent, name, slash, .. } = place else { return Err(Error::NotFound) };
            return match (open.create, slash) {
                (false, _) => Err(Error::NotFound),
                (true, true) => Err(Error::IsDirectory),
                (true, false) => self.create(Body::File(Contents::default()), parent, &name, now),
            };
        };
        if open.create && open.exclusive {
            return Err(Error::Exists);
        }
        match self.kind(id) {
            Kind::Symlink => return Err(Error::Loop),
            Kind::File if open.directory => return Err(Error::NotDirectory),
            Kind::Directory if open.write || open.truncate || open.create => return Err(Error::IsDirectory),
            Kind::File if open.truncate => self.resize(id, 0, now)?,
            Kind::File | Kind::Directory => {}
        }
        Ok(id)
    }

    pub(crate) fn make_directory(&mut self, start: Id, path: &str, now: Timestamp) -> Result<Id, Error> {
        match self.resolve(start, path, Follow::Never)? {
            Place::Entry { parent, name, id: None, .. } => {
                self.create(Body::Directory(Directory::new(parent)), parent, &name, now)
            }
            _ => Err(Error::Exists),
        }
    }

    pub(crate) fn remove_directory(&mut self, start: Id, path: &str, now: Timestamp) -> Result<(), Error> {
        let Place::Entry { parent, name, id, .. } = self.resolve(start, path, Follow::Never)? else {
            let last = path.trim_end_matches('/').rsplit('/').next();
            return Err(if last == Some(".") { Error::Invalid } else { Error::NotEmpty });
        };
        if !self.directory(id.ok_or(Error::NotFound)?)?.is_empty() {
            return Err(Error::NotEmpty);
        }
        self.unlink(parent, &name, now)
    }

    pub(crate) fn remove_file(&mut self, start: Id, path: &str, now: Timestamp) -> Result<(), Error> {
        let Place::Entry { parent, name, id, slash } = self.resolve(start, path, Follow::Never)? else {
            return Err(Error::IsDirectory);
        };
        match self.kind(id.ok_or(Error::NotFound)?) {
            Kind::Directory => Err(Error::IsDirectory),
            // The slash asks for what a symbolic link leads to.
            _ if slash => match self.kind(self.resolve(start, path, Follow::Slash)?.existing()?) {
                Kind::Directory => Err(Error::IsDirectory),
                Kind::File | Kind::Symlink => Err(Error::NotDirectory),
            },
            _ => self.unlink(parent, &name, now),
        }
    }

    /// Where a new name goes that is not a directory's, so that no slash may follow it.
    fn vacancy<'p>(&self, start: Id, path: &'p str) -> Result<(Id, std::borrow::Cow<'p, str>), Error> {
        match self.resolve(start, path, Follow::Slash)? {
            Place::Entry { id: None, slash: true, .. } => Err(Error::NotFound),
            Place::Entry { parent, name, id: None, .. } => Ok((parent, name)),
            _ => Err(Error::Exists),
        }
    }

    pub(crate) fn make_symlink(&mut self, target: &str, start: Id, path: &str, now: Timestamp) -> Result<(), Error> {
        match target.as_bytes() {
            [] => return Err(Error::NotFound),
            [b'/', ..] => return Err(Error::Escapes),
            bytes if bytes.len() >= PATH_MAX => return Err(Error::NameTooLong),
            bytes if bytes.contains(&0) => return Err(Error::Invalid),
            _ => {}
        }
        let (parent, name) = self.vacancy(start, path)?;
        self.create(Body::Symlink(target.into()), parent, &name, now).map(drop)
    }

    pub(crate) fn read_symlink(&self, start: Id, path: &str) -> Result<Arc<str>, Error> {
        match &self.node(self.resolve(start, path, Follow::Slash)?.existing()?).body {
            Body::Symlink(target) => Ok(target.clone()),
            _ => Err(Error::Invalid),
        }
    }

    pub(crate) fn make_link(&mut self, old: (Id, &str), new: (Id, &str), now: Timestamp) -> Result<(), Error> {
        let id = self.resolve(old.0, old.1, Follow::Slash)?.existing()?;
        let (parent, name) = self.vacancy(new.0, new.1)?;
        if self.kind(id) == Kind::Directory {
            return Err(Error::NotPermitted);
        }
        self.link(id, parent, &name, now)
    }

    pub(crate) fn rename(&mut self, old: (Id, &str), new: (Id, &str), now: Timestamp) -> Result<(), Error> {
        let from = self.resolve(old.0, old.1, Follow::Never)?;
        let to = self.resolve(new.0, new.1, Follow::Never)?;
        let (
            Place::Entry { parent: old_parent, name: old_name, id, slash: old_slash },
            Place::Entry { parent: new_parent, name: new_name, id: over, slash: new_slash },
        ) = (from, to)
        else {
            return Err(Error::Busy);
        };
        let id = id.ok_or(Error::NotFound)?;
        let directory = self.kind(id) == Kind::Directory;
        if !directory && (old_slash || new_slash) {
            return Err(Error::NotDirectory);
        }
        if directory && self.is_within(new_parent, id) {
            return Err(Error::Invalid);
        }
        if over == Some(id) {
            // Two names of one file: POSIX has rename do nothing and say so to nobody.
            return Ok(());
        }
        if let Some(over) = over {
            match (directory, self.directory(over)) {
                (true, Err(_)) => return Err(Error::NotDirectory),
                (false, Ok(_)) => return Err(Error::IsDirectory),
                (true, Ok(over)) if !over.is_empty() => return Err(Error::NotEmpty),
                _ => {}
            }
        }
        self.move_name((old_parent, &old_name), (new_parent, &new_name), now)
    }
}
