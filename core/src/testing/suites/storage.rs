//! The contract of [`crate::storage`].
//!
//! ```ignore
//! #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
//! async fn keeps_the_contract() {
//!     wasmwiz_core::testing::suites::storage::all(async || Arc::new(MyStorage::new_and_empty().await)).await;
//! }
//! ```
#![expect(clippy::unwrap_used, reason = "a contract suite panics at the first broken promise")]

mod executions;
mod keys;
mod modules;
mod modules_found;
mod users;

use std::{future::Future, sync::Arc};

use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    module::{Module, NewModule},
    principal::User,
    storage::{Page, Storage},
    testing::fixtures,
};

/// How many do something at the same time, where a check is about that.
const CROWD: usize = 50;

/// Texts that have broken storages before.
const HOSTILE: [&str; 8] = [
    "'; DROP TABLE users; --",
    "\" OR 1=1 --",
    "%",
    "_",
    "\\",
    "$1 ?1 :name {}",
    "名前 \u{1f980} e\u{301} \u{202e}",
    "line\nand\ttab\r",
];

/// Do each check on a storage of its own.
macro_rules! checks {
    ($make:expr; $($module:ident: $($check:ident),+;)+) => {$($({
        let storage: Arc<dyn Storage> = $make().await;
        storage.migrate().await.expect("the schema is brought up to date");
        $module::$check(&storage).await;
    })+)+};
}

/// Run every check. `make` makes an empty storage each time, migrated or not. Wants a runtime of several threads.
///
/// # Panics
/// At the first promise that is broken.
pub async fn all(make: impl AsyncFn() -> Arc<dyn Storage>) {
    checks! { make;
        users: it_answers, an_up_to_date_schema_stays_as_it_is, the_users_the_program_needs_are_there,
            a_user_is_found_by_id_and_by_name, a_name_that_is_taken_is_a_conflict,
            of_simultaneous_users_of_one_name_one_is_added, names_are_taken_as_they_are, users_are_listed_newest_first;
        keys: a_key_is_found_by_its_hash_with_its_user, revoked_and_expired_keys_are_found_too,
            a_key_needs_a_user_and_a_hash_of_its_own, a_users_own_keys_are_listed, a_key_is_revoked_once_and_by_its_user,
            the_latest_use_of_a_key_is_noted, it_knows_whether_there_is_a_key;
        modules: versions_count_up_for_an_owner_and_name, the_same_bytes_give_the_version_there_is,
            a_version_number_is_never_used_again, simultaneous_modules_get_versions_of_their_own,
            simultaneous_uploads_of_the_same_bytes_make_one_version, a_module_needs_an_owner_and_an_id_of_its_own,
            a_module_is_kept_as_it_was_given, numbers_that_cannot_be_kept_are_refused, a_module_is_deleted_by_its_owner,
            a_caller_who_goes_away_does_no_harm;
        modules_found: by_id_ones_own_and_public_modules_are_found, by_name_ones_own_modules_are_found,
            by_name_what_the_server_offers_is_found, lists_hold_what_the_filter_says, a_list_stays_the_same_while_modules_are_added,
            texts_in_filters_are_taken_as_they_are;
        executions: an_execution_is_kept_as_it_was_given, numbers_that_cannot_be_kept_are_refused,
            times_are_kept_to_the_microsecond, an_execution_is_its_users_own, an_execution_needs_a_user_and_an_id_of_its_own,
            a_module_knows_when_it_last_ran, a_record_outlives_its_module, lists_hold_what_the_filter_says,
            a_list_by_time_begins_at_since_and_ends_before_until,
            a_list_by_time_goes_by_the_records_time, simultaneous_records_are_all_kept,
            a_list_stays_the_same_while_executions_are_recorded;
    }
}

/// The first `limit` of a list.
fn first(limit: u32) -> Page {
    Page { limit, before: None }
}

/// Do something `CROWD` times at once, and give what came of it.
async fn crowd<T: Send + 'static, F: Future<Output = T> + Send + 'static>(each: impl Fn(usize) -> F) -> Vec<T> {
    (0..CROWD).map(each).collect::<JoinSet<_>>().join_all().await
}

/// Add a user.
async fn added_user(storage: &Arc<dyn Storage>) -> User {
    let user = fixtures::user();
    storage.create_user(&user).await.expect("a user is added");
    user
}

/// Store a module, which was not there before.
async fn stored(storage: &Arc<dyn Storage>, module: &NewModule) -> Module {
    let inserted = storage.insert_module(module).await.expect("a module is stored");
    assert!(inserted.created, "{} of these bytes was not there before", module.name);
    inserted.module
}

/// Read a list page by page, and check that the pages are full and the ids descend.
async fn pages<T>(limit: u32, id: impl Fn(&T) -> Uuid, list: impl AsyncFn(Page) -> crate::Result<Vec<T>>) -> Vec<T> {
    let (mut items, mut before) = (Vec::new(), None);
    loop {
        let page = list(Page { limit, before }).await.expect("a page is read");
        assert!(page.len() <= limit as usize, "a page has at most as many items as asked for");
        let last = page.len() < limit as usize;
        items.extend(page);
        if last {
            break;
        }
        before = items.last().map(&id);
    }
    assert!(items.is_sorted_by(|newer, older| id(newer) > id(older)), "newest id first, each item once");
    items
}
