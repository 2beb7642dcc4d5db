//! What is wrong with a value, in words: the key, where it was set, and what would be right.

use figment::{
    Figment,
    error::{Actual, Kind},
};

use super::{ConfigError, linked, reference};

/// Say what is wrong with a value below `prefix`.
pub(crate) fn explain(error: &figment::Error, prefix: &str) -> String {
    let mut path: Vec<&str> = prefix.split('.').filter(|part| !part.is_empty()).collect();
    path.extend(error.path.iter().map(String::as_str));
    let key = path.join(".");
    let source = error.metadata.as_ref().map(|from| set_in(&from.name)).unwrap_or_default();
    match &error.kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            wrong_value(&key, &source, found, expected)
        }
        Kind::UnknownField(field, known) => {
            let key = if key.is_empty() || key.ends_with(field.as_str()) { key } else { format!("{key}.{field}") };
            unknown_key(&key, &source, &known.join(", "))
        }
        Kind::UnknownVariant(_, _) if is_secret(&key) => format!("`{key}`{source} is not one of its words"),
        Kind::UnknownVariant(found, known) => {
            format!("`{key}`{source} is `{found}`; it must be one of: {}", known.join(", "))
        }
        Kind::MissingField(field) => format!("`{key}.{field}`{source} is missing"),
        other => format!("`{key}`{source}: {other}"),
    }
}

/// Say what is wrong with a plugin's `section`. What a plugin finds wrong with several values together knows no source:
/// it is looked up by the key that the message names first.
pub(crate) fn explain_section(error: &figment::Error, prefix: &str, section: &Figment) -> String {
    let message = explain(error, prefix);
    match &error.kind {
        Kind::Message(text) if error.metadata.is_none() => {
            let key = text.split('`').nth(1).unwrap_or_default();
            let source = section.find_metadata(key).map(|from| format!(" (`{prefix}.{key}` is set in {})", from.name));
            message + &source.unwrap_or_default()
        }
        _ => message,
    }
}

/// Say that `key` is none.
pub(super) fn unknown_key(key: &str, source: &str, known: &str) -> String {
    let known = if known.is_empty() { "no key is known here".to_owned() } else { format!("known here: {known}") };
    format!("unknown key `{key}`{source}; {known}")
}

/// Say that a section is something else.
pub(super) fn no_section(figment: &Figment, key: &str, found: &figment::value::Value) -> ConfigError {
    let expected = format!("a section, [{key}]");
    ConfigError::Value(wrong_value(key, &source_of(figment, key), &found.to_actual(), &expected))
}

/// Say where a key was set, in brackets; nothing when nobody set it.
pub(super) fn source_of(figment: &Figment, key: &str) -> String {
    figment.find_metadata(key).map(|from| set_in(&from.name)).unwrap_or_default()
}

fn set_in(name: &str) -> String {
    format!(" (set in {name})")
}

fn wrong_value(key: &str, source: &str, found: &Actual, expected: &str) -> String {
    let expected = in_words(expected);
    if is_secret(key) {
        // Whatever was found may be most of a good secret.
        return format!("`{key}`{source} is of the wrong form; it must be {expected}");
    }
    let found = match found {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(text) => format!("the text {text:?}"),
        Actual::Seq => "a list".into(),
        Actual::Map => "a section".into(),
        other => other.to_string(),
    };
    format!("`{key}`{source} is {found}; it must be {expected}")
}

/// Put serde's words for types into those of somebody who writes a file.
fn in_words(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text",
        "a sequence" => "a list, such as [\"a\", \"b\"]",
        "a map" => "a section",
        _ if expected.starts_with("struct ") => "a section",
        _ => expected,
    }
    .to_owned()
}

fn is_secret(key: &str) -> bool {
    linked().is_ok_and(|linked| reference::find(&reference::keys(&linked), key).is_some_and(|key| key.secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_a_file_has_them() {
        let message = wrong_value("server.port", " (set in x.toml)", &Actual::Str("abc".into()), "u16");
        assert_eq!(
            message,
            "`server.port` (set in x.toml) is the text \"abc\"; it must be a whole number from 0 to 65535"
        );
        assert_eq!(wrong_value("a.b", "", &Actual::Seq, "a boolean"), "`a.b` is a list; it must be true or false");
    }

    #[test]
    fn a_section_without_keys_says_so() {
        assert_eq!(unknown_key("auth.none.x", "", ""), "unknown key `auth.none.x`; no key is known here");
    }
}
