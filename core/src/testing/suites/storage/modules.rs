//! Storing and deleting modules.

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::{
    Error,
    module::{Abi, Export, ModuleRef, Visibility},
    storage::ModuleFilter,
};

pub(super) async fn versions_count_up_for_an_owner_and_name(storage: &Arc<dyn Storage>) {
    let (user, other) = (added_user(storage).await, added_user(storage).await);
    for (owner, name, bytes, version) in [
        (user.id, "echo", "a", 1),
        (user.id, "echo", "b", 2),
        (user.id, "Echo", "a", 1),
        (other.id, "echo", "b", 1),
        (user.id, "echo", "c", 3),
        (user.id, "other", "a", 1),
    ] {
        let module = stored(storage, &fixtures::new_module(owner, name, bytes.as_bytes())).await;
        assert_eq!(module.version, version, "{name} of {bytes}");
    }
}

pub(super) async fn the_same_bytes_give_the_version_there_is(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let one = stored(storage, &fixtures::new_module(user.id, "echo", b"one")).await;
    let two = stored(storage, &fixtures::new_module(user.id, "echo", b"two")).await;
    for there in [&one, &two] {
        let bytes: &[u8] = if there.version == 1 { b"one" } else { b"two" };
        let mut again = fixtures::new_module(user.id, "echo", bytes);
        (again.description, again.visibility) = ("other words".into(), Visibility::Public);
        let inserted = storage.insert_module(&again).await.unwrap();
        assert!(!inserted.created);
        assert_eq!(inserted.module, *there);
    }
    assert_eq!(stored(storage, &fixtures::new_module(user.id, "echo", b"three")).await.version, 3);
}

pub(super) async fn a_version_number_is_never_used_again(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    for version in 1..=3 {
        let module = stored(storage, &fixtures::new_module(user.id, "echo", b"the same bytes")).await;
        assert_eq!(module.version, version);
        assert!(storage.delete_module(user.id, module.id, module.created_at).await.unwrap());
    }
}

pub(super) async fn simultaneous_modules_get_versions_of_their_own(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let stored = crowd(|number| {
        let (storage, module) = (storage.clone(), fixtures::new_module(user.id, "echo", &number.to_be_bytes()));
        async move { storage.insert_module(&module).await.unwrap() }
    });
    let stored = stored.await;
    assert!(stored.iter().all(|inserted| inserted.created));
    let versions: BTreeSet<u32> = stored.iter().map(|inserted| inserted.module.version).collect();
    assert_eq!(versions, (1..=CROWD as u32).collect());
}

pub(super) async fn simultaneous_uploads_of_the_same_bytes_make_one_version(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let stored = crowd(|_| {
        let (storage, module) = (storage.clone(), fixtures::new_module(user.id, "echo", b"the same bytes"));
        async move { storage.insert_module(&module).await.unwrap() }
    });
    let stored = stored.await;
    assert_eq!(stored.iter().filter(|inserted| inserted.created).count(), 1);
    assert!(stored.iter().all(|inserted| inserted.module == stored[0].module));
    let filter = ModuleFilter { viewer: user.id, ..ModuleFilter::default() };
    assert_eq!(storage.list_modules(&filter, first(9)).await.unwrap().len(), 1);
}

pub(super) async fn a_module_needs_an_owner_and_an_id_of_its_own(storage: &Arc<dyn Storage>) {
    let orphan = fixtures::new_module(fixtures::id(), "echo", b"bytes");
    assert!(matches!(storage.insert_module(&orphan).await, Err(Error::NotFound(_))));
    let user = added_user(storage).await;
    let module = stored(storage, &fixtures::new_module(user.id, "echo", b"bytes")).await;
    let twin = NewModule { id: module.id, ..fixtures::new_module(user.id, "echo", b"other bytes") };
    assert!(matches!(storage.insert_module(&twin).await, Err(Error::Conflict(_))));
    assert_eq!(storage.find_module(user.id, &ModuleRef::Id(module.id)).await.unwrap(), Some(module));
}

pub(super) async fn a_module_is_kept_as_it_was_given(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let mut new = fixtures::new_module(user.id, "echo", b"bytes");
    new.description = HOSTILE.concat();
    new.size_bytes = i64::MAX as u64;
    new.visibility = Visibility::Public;
    new.inspection.abi = Abi::Unknown;
    new.inspection.memory_min_bytes = 1 << 48;
    new.inspection.imports.clear();
    new.inspection.exports = (0..1000)
        .map(|number| Export { name: format!("{number}{}", HOSTILE[number % HOSTILE.len()]), ty: "(func)".into() })
        .collect();
    let module = stored(storage, &new).await;
    assert_eq!((module.id, module.owner, module.version), (new.id, user.id, 1));
    assert_eq!((&module.name, &module.description), (&new.name, &new.description));
    assert_eq!((module.sha256, module.size_bytes, module.visibility), (new.sha256, new.size_bytes, new.visibility));
    assert_eq!((&module.inspection, module.created_at), (&new.inspection, new.created_at));
    assert_eq!(module.last_executed_at, None);
    assert_eq!(storage.find_module(user.id, &ModuleRef::Id(module.id)).await.unwrap(), Some(module));
}

pub(super) async fn numbers_that_cannot_be_kept_are_refused(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    for size_bytes in [i64::MAX as u64 + 1, u64::MAX] {
        let new = NewModule { size_bytes, ..fixtures::new_module(user.id, "echo", b"bytes") };
        assert!(storage.insert_module(&new).await.is_err());
        assert_eq!(storage.find_module(user.id, &ModuleRef::Id(new.id)).await.unwrap(), None);
    }
    assert_eq!(stored(storage, &fixtures::new_module(user.id, "echo", b"bytes")).await.version, 1);
}

pub(super) async fn a_module_is_deleted_by_its_owner(storage: &Arc<dyn Storage>) {
    let (user, other) = (added_user(storage).await, added_user(storage).await);
    let mut new = fixtures::new_module(user.id, "echo", b"bytes");
    new.visibility = Visibility::Public;
    let module = stored(storage, &new).await;
    let bystander = stored(storage, &fixtures::new_module(user.id, "echo", b"other bytes")).await;
    let at = module.created_at;
    assert!(!storage.delete_module(other.id, module.id, at).await.unwrap(), "not by somebody else");
    assert!(!storage.delete_module(user.id, fixtures::id(), at).await.unwrap(), "not one that is not there");
    assert!(storage.delete_module(user.id, module.id, at).await.unwrap());
    assert!(!storage.delete_module(user.id, module.id, at).await.unwrap(), "it is there no more");
    assert_eq!(storage.find_module(user.id, &ModuleRef::Id(module.id)).await.unwrap(), None);
    assert_eq!(storage.find_module(user.id, &ModuleRef::Id(bystander.id)).await.unwrap(), Some(bystander));
}

/// A caller's connection may break at any moment, and drop what it waits for.
pub(super) async fn a_caller_who_goes_away_does_no_harm(storage: &Arc<dyn Storage>) {
    let user = added_user(storage).await;
    let new = fixtures::new_module(user.id, "echo", b"bytes");
    let tasks: Vec<_> = (0..CROWD * 4)
        .map(|number| {
            let (storage, user) = (storage.clone(), user.id);
            let patience = Duration::from_micros(number as u64 * 7);
            tokio::spawn(async move {
                let module = fixtures::new_module(user, "echo", &number.to_be_bytes());
                let _ = tokio::time::timeout(patience, storage.insert_module(&module)).await;
                let reference = ModuleRef::Id(module.id);
                let _ = tokio::time::timeout(patience, storage.find_module(user, &reference)).await;
            })
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        if number % 3 == 0 {
            task.abort();
        }
        let _ = task.await;
    }
    let module = stored(storage, &new).await;
    let filter = ModuleFilter { viewer: user.id, ..ModuleFilter::default() };
    let list = async |page| storage.list_modules(&filter, page).await;
    let listed = pages(7, |module: &Module| module.id, list).await;
    let versions: BTreeSet<u32> = listed.iter().map(|module| module.version).collect();
    assert_eq!(versions, (1..=module.version).collect(), "each is there as a whole or not at all");
}
