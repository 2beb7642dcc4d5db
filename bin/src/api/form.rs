//! `multipart/form-data` bodies, part by part.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use poem::{Request, RequestBody, http::header};
use wasmwiz_core::{Error, error::FieldError};

use super::{
    error::Problem,
    limits::{BodyFault, Incoming, Size},
};

/// The most parts a form may have; each costs memory beside what it carries.
const MAX_PARTS: usize = 10_000;
/// The longest text a part may have that is no file, in bytes.
const MAX_TEXT: usize = 128 << 10;
const MEDIA_TYPE: &str = "multipart/form-data";

/// A form on its way in.
pub(crate) struct Form {
    inner: multer::Multipart<'static>,
    parts: usize,
}

/// A part of a form.
pub(crate) struct Part {
    inner: multer::Field<'static>,
    name: String,
}

/// Whether a Content-Type says that the body is a form.
pub(crate) fn is_form(content_type: &str) -> bool {
    content_type.get(..MEDIA_TYPE.len()).is_some_and(|start| start.eq_ignore_ascii_case(MEDIA_TYPE))
}

impl Form {
    /// Begin to read the body of a request as a form.
    pub(crate) fn open(request: &Request, body: &mut RequestBody, size: Size) -> Result<Self, Problem> {
        let content_type = request.header(header::CONTENT_TYPE);
        let Some(form) = content_type.filter(|found| is_form(found)) else {
            return Err(Problem::media_type(content_type, MEDIA_TYPE));
        };
        let boundary = multer::parse_boundary(form).map_err(|error| {
            Problem::malformed("malformed_form", "Content-Type", format!("the form has no usable boundary: {error}"))
        })?;
        let incoming = Incoming::buffered(request, body, size)?;
        Ok(Self { inner: multer::Multipart::new(incoming, boundary), parts: 0 })
    }

    /// The next part.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>, Problem> {
        let Some(inner) = self.inner.next_field().await.map_err(fault)? else { return Ok(None) };
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(Error::invalid("form", format!("a form has at most {MAX_PARTS} parts")).into());
        }
        match inner.name().map(str::to_owned) {
            Some(name) if !name.is_empty() => Ok(Some(Part { inner, name })),
            _ => Err(Problem::malformed("malformed_form", "form", "a part of the form has no name")),
        }
    }
}

impl Part {
    /// The field's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of the file that was sent, if it is one.
    pub(crate) fn file_name(&self) -> Option<&str> {
        self.inner.file_name()
    }

    /// Read it whole.
    ///
    /// # Errors
    /// 413 when it has more than `limit` bytes.
    pub(crate) async fn bytes(mut self, limit: u64) -> Result<Bytes, Problem> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.inner.next().await {
            let chunk = chunk.map_err(fault)?;
            if (whole.len() + chunk.len()) as u64 > limit {
                return Err(Error::TooLarge { what: format!("the field `{}`", self.name), limit }.into());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Read it as text.
    pub(crate) async fn text(self) -> Result<String, Problem> {
        let name = self.name.clone();
        let bytes = self.bytes(MAX_TEXT as u64).await?;
        String::from_utf8(bytes.into()).map_err(|_| Error::invalid(name, "must be UTF-8 text").into())
    }

    /// Refuse it, because nobody knows its name.
    pub(crate) fn unknown(&self, known: &str) -> Problem {
        let name: String = self.name.chars().take(64).collect();
        Error::Invalid(vec![FieldError::new(name, format!("unknown field; the fields are: {known}"))]).into()
    }
}

/// Put `value` where there may be only one.
pub(crate) fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::invalid(name, "is there twice; send it once").into()),
    }
}

fn fault(error: multer::Error) -> Problem {
    if let multer::Error::StreamReadFailed(cause) = &error
        && let Some(fault) = cause.downcast_ref::<BodyFault>()
    {
        return fault.clone().into();
    }
    Problem::malformed("malformed_form", "form", format!("the form cannot be read: {error}"))
}
