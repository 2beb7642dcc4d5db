//! Finding and listing modules.

use super::*;
use crate::{
    module::{ModuleHash, ModuleRef, VersionRef, Visibility},
    storage::ModuleFilter,
};

fn named(name: &str, version: VersionRef) -> ModuleRef {
    ModuleRef::Name { name: name.to_owned(), version }
}

/// Store a module whose bytes are its name and `bytes`.
async fn with(storage: &Arc<dyn Storage>, owner: Uuid, name: &str, visibility: Visibility, bytes: &str) -> Module {
    stored(storage, &NewModule { visibility, ..fixtures::new_module(owner, name, bytes.as_bytes()) }).await
}

pub(super) async fn by_id_ones_own_and_public_modules_are_found(storage: &Arc<dyn Storage>) {
    let (user, other) = (added_user(storage).await, added_user(storage).await);
    let private = with(storage, user.id, "private", Visibility::Private, "a").await;
    let public = with(storage, user.id, "public", Visibility::Public, "a").await;
    let find = async |viewer, id| storage.find_module(viewer, &ModuleRef::Id(id)).await.unwrap();
    assert_eq!(find(user.id, private.id).await, Some(private.clone()));
    assert_eq!(find(user.id, public.id).await, Some(public.clone()));
    assert_eq!(find(other.id, private.id).await, None);
    assert_eq!(find(other.id, public.id).await, Some(public));
    assert_eq!(find(user.id, fixtures::id()).await, None);
}

pub(super) async fn by_name_ones_own_modules_are_found(storage: &Arc<dyn Storage>) {
    let (user, other) = (added_user(storage).await, added_user(storage).await);
    let one = with(storage, user.id, "echo", Visibility::Private, "one").await;
    let two = with(storage, user.id, "echo", Visibility::Public, "two").await;
    let three = with(storage, user.id, "echo", Visibility::Private, "three").await;
    let find = async |viewer: &User, version| storage.find_module(viewer.id, &named("echo", version)).await.unwrap();
    assert_eq!(find(&user, VersionRef::Latest).await, Some(three.clone()));
    for module in [&one, &two, &three] {
        assert_eq!(find(&user, VersionRef::Number(module.version)).await.as_ref(), Some(module));
        assert_eq!(find(&user, VersionRef::Hash(module.sha256)).await.as_ref(), Some(module));
        assert_eq!(find(&other, VersionRef::Number(module.version)).await, None, "names are their owner's");
        assert_eq!(find(&other, VersionRef::Hash(module.sha256)).await, None);
    }
    for missing in [VersionRef::Number(0), VersionRef::Number(4), VersionRef::Number(u32::MAX)] {
        assert_eq!(find(&user, missing).await, None);
    }
    assert_eq!(find(&user, VersionRef::Hash(ModuleHash::of(b"four"))).await, None);
    assert_eq!(storage.find_module(user.id, &named("Echo", VersionRef::Latest)).await.unwrap(), None);
    assert!(storage.delete_module(user.id, three.id, three.created_at).await.unwrap());
    assert_eq!(find(&user, VersionRef::Latest).await, Some(two), "the newest that is there");
    assert_eq!(find(&user, VersionRef::Number(3)).await, None);
    assert_eq!(find(&user, VersionRef::Hash(three.sha256)).await, None);
}

pub(super) async fn by_name_what_the_server_offers_is_found(storage: &Arc<dyn Storage>) {
    let (user, other) = (added_user(storage).await, added_user(storage).await);
    let offered = with(storage, User::SAMPLES, "hello", Visibility::Public, "one").await;
    let newer = with(storage, User::SAMPLES, "hello", Visibility::Public, "two").await;
    with(storage, User::SAMPLES, "hello", Visibility::Private, "three").await;
    let find = async |viewer: &User, version| storage.find_module(viewer.id, &named("hello", version)).await.unwrap();
    assert_eq!(find(&user, VersionRef::Latest).await, Some(newer.clone()), "a private one is not offered");
    assert_eq!(find(&user, VersionRef::Number(3)).await, None);
    assert_eq!(find(&user, VersionRef::Number(1)).await, Some(offered.clone()));
    assert_eq!(find(&user, VersionRef::Hash(offered.sha256)).await, Some(offered.clone()));
    let own = with(storage, user.id, "hello", Visibility::Private, "own").await;
    assert_eq!(find(&user, VersionRef::Latest).await, Some(own.clone()), "one's own comes first");
    assert_eq!(find(&user, VersionRef::Number(1)).await, Some(own.clone()));
    assert_eq!(find(&user, VersionRef::Hash(offered.sha256)).await, Some(offered));
    assert_eq!(find(&other, VersionRef::Latest).await, Some(newer.clone()));
    assert!(storage.delete_module(user.id, own.id, own.created_at).await.unwrap());
    assert_eq!(find(&user, VersionRef::Latest).await, Some(newer));
}

pub(super) async fn lists_hold_what_the_filter_says(storage: &Arc<dyn Storage>) {
    let (user, other) = (added_user(storage).await, added_user(storage).await);
    let mut all = Vec::new();
    for number in 0..6 {
        for owner in [&user, &other] {
            let visibility = if number % 2 == 0 { Visibility::Public } else { Visibility::Private };
            let name = if number < 4 { "echo" } else { "other" };
            let module = with(storage, owner.id, name, visibility, &number.to_string()).await;
            let deleted = with(storage, owner.id, name, visibility, &format!("{number} deleted")).await;
            assert!(storage.delete_module(owner.id, deleted.id, deleted.created_at).await.unwrap());
            all.insert(0, module);
        }
    }
    for name in [None, Some("echo"), Some("other"), Some("missing")] {
        for visibility in [None, Some(Visibility::Public), Some(Visibility::Private)] {
            let filter = ModuleFilter { viewer: user.id, name: name.map(str::to_owned), visibility };
            let expected = all.iter().filter(|module| {
                let visible = match visibility {
                    None => module.owner == user.id,
                    Some(Visibility::Public) => module.visibility == Visibility::Public,
                    Some(Visibility::Private) => module.owner == user.id && module.visibility == Visibility::Private,
                };
                visible && name.is_none_or(|name| module.name == name)
            });
            let expected: Vec<Module> = expected.cloned().collect();
            for limit in [1, 2, 50] {
                let list = async |page| storage.list_modules(&filter, page).await;
                assert_eq!(pages(limit, |module: &Module| module.id, list).await, expected, "{filter:?} by {limit}");
            }
        }
    }
}

pub(super) async fn a_list_stays_the_same_while_modules_are_added(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let mut there = Vec::new();
    for number in 0..20 {
        there.insert(0, with(storage, user.id, "echo", Visibility::Public, &number.to_string()).await.id);
    }
    for visibility in [None, Some(Visibility::Public)] {
        let filter = ModuleFilter { viewer: user.id, name: None, visibility };
        let mut before = None;
        for (number, expected) in there.chunks(4).enumerate() {
            let page = storage.list_modules(&filter, Page { limit: 4, before: before.or(Some(next(there[0]))) });
            let ids: Vec<Uuid> = page.await.unwrap().iter().map(|module| module.id).collect();
            assert_eq!(ids, expected);
            before = ids.last().copied();
            with(storage, user.id, "echo", Visibility::Public, &format!("{visibility:?} {number}")).await;
        }
    }
}

/// The id right after `id`.
fn next(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() + 1)
}

pub(super) async fn texts_in_filters_are_taken_as_they_are(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let echo = with(storage, user.id, "echo", Visibility::Private, "a").await;
    for name in HOSTILE.into_iter().chain(["ECHO", "ech_", "ech%", ""]) {
        let filter = ModuleFilter { viewer: user.id, name: Some(name.into()), visibility: None };
        assert_eq!(storage.list_modules(&filter, first(9)).await.unwrap(), []);
        assert_eq!(storage.find_module(user.id, &named(name, VersionRef::Latest)).await.unwrap(), None);
    }
    assert_eq!(storage.find_module(user.id, &named("echo", VersionRef::Latest)).await.unwrap(), Some(echo));
}
