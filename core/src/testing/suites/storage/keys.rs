//! The keys.

use chrono::TimeDelta;

use super::*;
use crate::{
    Error,
    api_key::{ApiKey, KeyHash},
    principal::{Role, Scopes},
};

async fn added_key(storage: &Arc<dyn Storage>, user: &User) -> ApiKey {
    let key = fixtures::api_key(user);
    storage.create_api_key(&key).await.expect("a key is added");
    key
}

async fn found(storage: &Arc<dyn Storage>, key: &ApiKey) -> ApiKey {
    storage.api_key_by_hash(&key.hash).await.unwrap().expect("the key is there").0
}

pub(super) async fn a_key_is_found_by_its_hash_with_its_user(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    added_key(storage, &user).await;
    let key = ApiKey {
        tier: "gold".into(),
        role: Role::Admin,
        scopes: Scopes::all(),
        name: HOSTILE.concat(),
        ..fixtures::api_key(&user)
    };
    assert_eq!(storage.api_key_by_hash(&key.hash).await.unwrap(), None);
    storage.create_api_key(&key).await.unwrap();
    assert_eq!(storage.api_key_by_hash(&key.hash).await.unwrap(), Some((key.clone(), user)));
    let mut other = key.hash;
    other.0[31] ^= 1;
    assert_eq!(storage.api_key_by_hash(&other).await.unwrap(), None);
    assert_eq!(storage.api_key_by_hash(&KeyHash([0; 32])).await.unwrap(), None);
}

pub(super) async fn revoked_and_expired_keys_are_found_too(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let mut key = fixtures::api_key(&user);
    key.scopes = Scopes(Vec::new());
    key.expires_at = Some(key.created_at - TimeDelta::days(1));
    key.last_used_at = Some(key.created_at + TimeDelta::microseconds(1));
    key.revoked_at = Some(key.created_at + TimeDelta::microseconds(2));
    storage.create_api_key(&key).await.unwrap();
    assert_eq!(found(storage, &key).await, key);
    assert_eq!(storage.list_api_keys(user.id, first(9)).await.unwrap(), [key]);
}

pub(super) async fn a_key_needs_a_user_and_a_hash_of_its_own(storage: &Arc<dyn Storage>) {
    let nobody = fixtures::user();
    let orphan = fixtures::api_key(&nobody);
    assert!(matches!(storage.create_api_key(&orphan).await, Err(Error::NotFound(_))));
    let user = added_user(storage).await;
    let key = added_key(storage, &user).await;
    let same_hash = ApiKey { hash: key.hash, ..fixtures::api_key(&user) };
    assert!(matches!(storage.create_api_key(&same_hash).await, Err(Error::Conflict(_))));
    let same_id = ApiKey { id: key.id, ..fixtures::api_key(&user) };
    assert!(matches!(storage.create_api_key(&same_id).await, Err(Error::Conflict(_))));
    assert_eq!(storage.list_api_keys(user.id, first(9)).await.unwrap(), [key]);
}

pub(super) async fn a_users_own_keys_are_listed(storage: &Arc<dyn Storage>) {
    let (user, other) = (added_user(storage).await, added_user(storage).await);
    let mut keys = Vec::new();
    for _ in 0..7 {
        keys.insert(0, added_key(storage, &user).await);
        added_key(storage, &other).await;
    }
    let list = async |page| storage.list_api_keys(user.id, page).await;
    assert_eq!(pages(3, |key: &ApiKey| key.id, list).await, keys);
    assert_eq!(storage.list_api_keys(fixtures::id(), first(9)).await.unwrap(), []);
}

pub(super) async fn a_key_is_revoked_once_and_by_its_user(storage: &Arc<dyn Storage>) {
    let (user, other) = (added_user(storage).await, added_user(storage).await);
    let (key, bystander) = (added_key(storage, &user).await, added_key(storage, &user).await);
    let at = key.created_at + TimeDelta::hours(1);
    assert!(!storage.revoke_api_key(other.id, key.id, at).await.unwrap(), "not by somebody else");
    assert!(!storage.revoke_api_key(user.id, fixtures::id(), at).await.unwrap(), "not one that is not there");
    assert_eq!(found(storage, &key).await.revoked_at, None);
    assert!(storage.revoke_api_key(user.id, key.id, at).await.unwrap());
    assert!(storage.revoke_api_key(user.id, key.id, at + TimeDelta::hours(1)).await.unwrap());
    assert_eq!(found(storage, &key).await.revoked_at, Some(at), "the first time is kept");
    assert_eq!(found(storage, &bystander).await.revoked_at, None);
}

pub(super) async fn the_latest_use_of_a_key_is_noted(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let (key, bystander) = (added_key(storage, &user).await, added_key(storage, &user).await);
    let at = key.created_at + TimeDelta::hours(1);
    for use_at in [at, at - TimeDelta::minutes(1)] {
        storage.touch_api_key(key.id, use_at).await.unwrap();
        assert_eq!(found(storage, &key).await.last_used_at, Some(at));
    }
    storage.touch_api_key(fixtures::id(), at).await.unwrap();
    assert_eq!(found(storage, &bystander).await.last_used_at, None);
}

pub(super) async fn it_knows_whether_there_is_a_key(storage: &Arc<dyn Storage>) {
    assert!(!storage.has_api_keys().await.unwrap());
    let user = added_user(storage).await;
    let key = added_key(storage, &user).await;
    assert!(storage.has_api_keys().await.unwrap());
    storage.revoke_api_key(user.id, key.id, key.created_at).await.unwrap();
    assert!(storage.has_api_keys().await.unwrap(), "a revoked key is one");
}
