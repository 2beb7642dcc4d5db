//! The schema and the users.

use super::*;
use crate::{Error, principal::Role};

pub(super) async fn it_answers(storage: &Arc<dyn Storage>) {
    storage.ping().await.unwrap();
}

pub(super) async fn an_up_to_date_schema_stays_as_it_is(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let before = storage.schema().await.unwrap();
    assert_eq!(before.pending, 0);
    let again = crowd(|_| {
        let storage = storage.clone();
        async move { storage.migrate().await }
    });
    for status in again.await {
        assert_eq!(status.unwrap(), before);
    }
    assert_eq!(storage.user(user.id).await.unwrap(), Some(user));
}

pub(super) async fn the_users_the_program_needs_are_there(storage: &Arc<dyn Storage>) {
    let samples = storage.user(User::SAMPLES).await.unwrap().unwrap();
    assert_eq!((&*samples.name, samples.role), ("samples", Role::User));
    let local = storage.user(User::LOCAL).await.unwrap().unwrap();
    assert_eq!((&*local.name, &*local.tier, local.role), ("local", "pro", Role::Admin));
}

pub(super) async fn a_user_is_found_by_id_and_by_name(storage: &Arc<dyn Storage>) {
    let user = User { tier: "pro".into(), role: Role::Admin, ..fixtures::user() };
    assert_eq!(storage.user(user.id).await.unwrap(), None);
    assert_eq!(storage.user_by_name(&user.name).await.unwrap(), None);
    storage.create_user(&user).await.unwrap();
    assert_eq!(storage.user(user.id).await.unwrap(), Some(user.clone()));
    assert_eq!(storage.user_by_name(&user.name).await.unwrap(), Some(user));
}

pub(super) async fn a_name_that_is_taken_is_a_conflict(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let twin = User { name: user.name.clone(), ..fixtures::user() };
    assert!(matches!(storage.create_user(&twin).await, Err(Error::Conflict(_))));
    assert_eq!(storage.user(twin.id).await.unwrap(), None);
    assert_eq!(storage.user_by_name(&user.name).await.unwrap(), Some(user));
}

pub(super) async fn of_simultaneous_users_of_one_name_one_is_added(storage: &Arc<dyn Storage>) {
    let name = fixtures::user().name;
    let results = crowd(|_| {
        let (storage, user) = (storage.clone(), User { name: name.clone(), ..fixtures::user() });
        async move { storage.create_user(&user).await }
    });
    let results = results.await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(Error::Conflict(_)))), "{results:?}");
}

pub(super) async fn names_are_taken_as_they_are(storage: &Arc<dyn Storage>) {
    let names = HOSTILE.into_iter().chain(["Alice", "alice", "ALICE", " alice", "alice "]);
    let users: Vec<User> = names.map(|name| User { name: name.into(), ..fixtures::user() }).collect();
    for user in &users {
        storage.create_user(user).await.unwrap();
    }
    for user in users {
        assert_eq!(storage.user_by_name(&user.name).await.unwrap(), Some(user));
    }
    assert_eq!(storage.user_by_name("' OR '1'='1").await.unwrap(), None);
}

pub(super) async fn users_are_listed_newest_first(storage: &Arc<dyn Storage>) {
    let mut users = Vec::new();
    for _ in 0..7 {
        users.insert(0, added_user(storage).await);
    }
    let listed = pages(3, |user: &User| user.id, async |page| storage.list_users(page).await).await;
    assert_eq!(listed[..7], users);
    let others: Vec<_> = listed[7..].iter().map(|user| user.id).collect();
    assert_eq!(others, [User::LOCAL, User::SAMPLES]);
    assert_eq!(storage.list_users(first(0)).await.unwrap(), []);
    assert_eq!(storage.list_users(first(u32::MAX)).await.unwrap(), listed);
}
