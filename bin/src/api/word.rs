//! Query parameters that take one of a few words.

use std::{borrow::Cow, fmt::Display, marker::PhantomData, str::FromStr};

use poem_openapi::{
    registry::{MetaSchemaRef, Registry},
    types::{ParseError, ParseFromParameter, ParseResult, Type},
};

/// One of the words of `T`, described as `Name` is. A word that is none of them is answered with those there are, which
/// poem-openapi's own enums do not do.
#[derive(Debug)]
pub(crate) struct Word<Name, T> {
    /// What it means.
    pub(crate) value: T,
    name: PhantomData<fn() -> Name>,
}

impl<Name: Type, T: Send + Sync> Type for Word<Name, T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        Name::name()
    }
    fn schema_ref() -> MetaSchemaRef {
        Name::schema_ref()
    }
    fn register(registry: &mut Registry) {
        Name::register(registry);
    }
    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<Name: Type, T: FromStr<Err: Display> + Send + Sync> ParseFromParameter for Word<Name, T> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        text.parse().map(|value| Self { value, name: PhantomData }).map_err(ParseError::custom)
    }
}
