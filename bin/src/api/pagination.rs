//! Lists: pages of items, newest first.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromParameter, ParseResult, ToJSON, Type},
};
use uuid::Uuid;
use wasmwiz_core::{Error, storage::Page};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// How many items a page has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageLimit(u32);

/// The limit when none is given.
pub(crate) fn default_limit() -> PageLimit {
    PageLimit(DEFAULT_LIMIT)
}

impl Type for PageLimit {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "page_limit".into()
    }
    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            minimum: Some(1.0),
            maximum: Some(f64::from(MAX_LIMIT)),
            ..MetaSchema::new_with_format("integer", "uint32")
        }))
    }
    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for PageLimit {
    fn to_json(&self) -> Option<serde_json::Value> {
        Some(self.0.into())
    }
}

impl ParseFromParameter for PageLimit {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        match value.parse() {
            Ok(limit @ 1..=MAX_LIMIT) => Ok(Self(limit)),
            _ => Err(ParseError::custom(format!("must be a whole number from 1 to {MAX_LIMIT}"))),
        }
    }
}

/// A place in a list.
#[derive(Debug)]
pub(crate) struct Wanted {
    limit: u32,
    before: Option<Uuid>,
}

impl Wanted {
    /// Read `?limit=` and `?cursor=`.
    pub(crate) fn new(limit: PageLimit, cursor: Option<&str>) -> Result<Self, Error> {
        let bad = || Error::invalid("cursor", "is no cursor of this list; take `next_cursor` of the page before");
        let before = cursor.map(|text| decode(text).ok_or_else(bad)).transpose()?;
        Ok(Self { limit: limit.0, before })
    }

    /// What to ask the storage for: one more than is shown, to learn whether there is a next page.
    pub(crate) fn page(&self) -> Page {
        Page { limit: self.limit + 1, before: self.before }
    }

    /// Cut what the storage gave to the page, and name the next one.
    pub(crate) fn cut<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> Uuid) -> (Vec<T>, Option<String>) {
        let more = items.len() > self.limit as usize;
        items.truncate(self.limit as usize);
        let next = items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(id(last).as_bytes()));
        (items, next)
    }
}

fn decode(cursor: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(cursor: Option<&str>) -> Result<Wanted, Error> {
        Wanted::new(PageLimit(2), cursor)
    }

    #[test]
    fn a_cursor_leads_to_the_item_after_the_last_one_shown() {
        let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let (shown, next) = wanted(None).unwrap().cut(ids.clone(), |id| *id);
        assert_eq!(shown, ids[..2]);
        assert_eq!(wanted(next.as_deref()).unwrap().page(), Page { limit: 3, before: Some(ids[1]) });
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let (shown, next) = wanted(None).unwrap().cut(vec![Uuid::nil(), Uuid::max()], |id| *id);
        assert_eq!((shown.len(), next), (2, None));
    }

    #[test]
    fn a_cursor_from_elsewhere_is_refused() {
        for cursor in ["", "x", "!!!!", &"A".repeat(23)] {
            assert!(wanted(Some(cursor)).unwrap_err().to_string().contains("next_cursor"), "{cursor}");
        }
    }

    #[test]
    fn a_limit_out_of_range_is_refused() {
        for text in ["0", "101", "-1", "ten", ""] {
            assert!(PageLimit::parse_from_parameter(text).is_err(), "{text}");
        }
    }
}
