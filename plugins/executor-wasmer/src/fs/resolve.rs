//! From a path to an inode, without leaving the directory the path starts in.

use std::borrow::Cow;

use super::{
    Error, Kind, LINKS_MAX, NAME_MAX, PATH_MAX,
    tree::{Body, Id, Tree},
};

/// What happens when the last name of a path is a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// It is the result: the path names the entry itself, to make, move or remove it.
    Never,
    /// It is the result, but for a trailing slash, which asks for what it leads to.
    Slash,
    /// What it leads to is the result.
    Always,
}

/// Where a path leads.
pub(super) enum Place<'p> {
    /// To a directory that the path does not name: it ends in `.` or `..`.
    Directory(Id),
    /// To an entry of a directory, there or not.
    Entry {
        parent: Id,
        name: Cow<'p, str>,
        id: Option<Id>,
        /// Whether a slash followed the name.
        slash: bool,
    },
}

impl Place<'_> {
    /// The inode at the place.
    pub(crate) fn existing(&self) -> Result<Id, Error> {
        match self {
            Self::Directory(id) => Ok(*id),
            Self::Entry { id, .. } => id.ok_or(Error::NotFound),
        }
    }
}

/// One name of a path: where it is in the text, where the next one starts.
struct Component {
    start: usize,
    end: usize,
    next: usize,
}

impl Component {
    fn at(text: &str, start: usize) -> Self {
        let end = text[start..].find('/').map_or(text.len(), |length| start + length);
        let next = text[end..].find(|c| c != '/').map_or(text.len(), |slashes| end + slashes);
        Self { start, end, next }
    }

    fn last(&self, text: &str) -> bool {
        self.next == text.len()
    }

    fn slash(&self) -> bool {
        self.end < self.next
    }
}

impl Tree {
    /// Follow `path` from the directory `start`.
    pub(crate) fn resolve<'p>(&self, start: Id, path: &'p str, follow: Follow) -> Result<Place<'p>, Error> {
        check(path)?;
        let mut text = Cow::Borrowed(path);
        let mut here = start;
        let mut at = 0;
        let mut links = 0;
        loop {
            let component = Component::at(&text, at);
            let (last, slash) = (component.last(&text), component.slash());
            let name = &text[component.start..component.end];
            let found = match name {
                "." => Some(here),
                // What is below `start` was reached through it, so this never climbs past it.
                ".." if here == start => return Err(Error::Escapes),
                ".." => Some(self.directory(here)?.parent),
                _ if name.len() > NAME_MAX => return Err(Error::NameTooLong),
                _ => self.directory(here)?.get(name),
            };
            if let Some(Body::Symlink(target)) = found.map(|id| &self.node(id).body)
                && (!last || follow == Follow::Always || (slash && follow == Follow::Slash))
            {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Error::Loop);
                }
                let joined = format!("{target}{}", &text[component.end..]);
                check(&joined)?;
                text = Cow::Owned(joined);
                at = 0;
                continue;
            }
            if !last {
                here = found.ok_or(Error::NotFound)?;
                self.directory(here)?;
                at = component.next;
                continue;
            }
            if let (Some(id), "." | "..") = (found, name) {
                return Ok(Place::Directory(id));
            }
            if slash && follow != Follow::Never && found.is_some_and(|id| self.kind(id) != Kind::Directory) {
                return Err(Error::NotDirectory);
            }
            let name = match text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[component.start..component.end]),
                Cow::Owned(text) => Cow::Owned(text[component.start..component.end].to_owned()),
            };
            return Ok(Place::Entry { parent: here, name, id: found, slash });
        }
    }

    /// Whether `inner` is `outer` or somewhere below it.
    pub(crate) fn is_within(&self, inner: Id, outer: Id) -> bool {
        let mut here = inner;
        while here != outer {
            match self.directory(here) {
                Ok(directory) if here != Id::ROOT => here = directory.parent,
                _ => return false,
            }
        }
        true
    }
}

fn check(path: &str) -> Result<(), Error> {
    match path.as_bytes() {
        [] => Err(Error::NotFound),
        [b'/', ..] => Err(Error::Escapes),
        bytes if bytes.len() > PATH_MAX => Err(Error::NameTooLong),
        bytes if bytes.contains(&0) => Err(Error::Invalid),
        _ => Ok(()),
    }
}
