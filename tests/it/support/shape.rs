//! What JSON looks like.

use serde_json::Value;

/// Assert that an object has these fields and no others.
#[track_caller]
pub(crate) fn assert_fields(value: &Value, fields: &[&str]) {
    let mut found: Vec<_> = value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().collect();
    let mut expected = fields.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{value}");
}

/// The items of a page.
#[track_caller]
pub(crate) fn items(page: &Value) -> &Vec<Value> {
    assert_fields(page, &["items", "next_cursor"]);
    page["items"].as_array().unwrap_or_else(|| panic!("no list: {page}"))
}
