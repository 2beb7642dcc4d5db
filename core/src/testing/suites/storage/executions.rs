//! The records of executions.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::{
    Error,
    execution::{ExecutionRecord, Failure, Limit, LimitKind, LimitSource, Status, Termination, Usage, Verdict},
    module::ModuleRef,
    storage::ExecutionFilter,
};

/// Add a user with a module.
async fn with_module(storage: &Arc<dyn Storage>) -> (User, Module) {
    let user = added_user(storage).await;
    let module = stored(storage, &fixtures::new_module(user.id, "echo", b"bytes")).await;
    (user, module)
}

async fn kept(storage: &Arc<dyn Storage>, record: ExecutionRecord) -> ExecutionRecord {
    storage.record_execution(&record).await.expect("an execution is recorded");
    record
}

fn of(user: &User) -> ExecutionFilter {
    ExecutionFilter { user_id: user.id, ..ExecutionFilter::default() }
}

async fn listed(storage: &Arc<dyn Storage>, filter: ExecutionFilter, limit: u32) -> Vec<ExecutionRecord> {
    let list = async |page| storage.list_executions(&filter, page).await;
    pages(limit, |record: &ExecutionRecord| record.id, list).await
}

pub(super) async fn an_execution_is_kept_as_it_was_given(storage: &Arc<dyn Storage>) {
    let (user, module) = with_module(storage).await;
    let limit = Limit { value: u64::MAX, source: LimitSource::Tier };
    let failure = Failure::new("unreachable", HOSTILE.concat());
    let most = i64::MAX as u64;
    let usage = Usage {
        wall_us: most,
        cpu_us: most,
        queued_us: most,
        compile_us: most,
        peak_memory_bytes: most,
        stdout_bytes: most,
        stderr_bytes: most,
        memory_limit_hit: true,
    };
    for verdict in [
        Verdict::exited(0),
        Verdict::exited(i32::MIN),
        Verdict::exited(i32::MAX),
        Verdict::failed(Status::Trapped, failure.clone()),
        Verdict::limited(Status::TimedOut, Termination::new(LimitKind::TimeoutMs, limit, u64::MAX)),
        Verdict::limited(Status::MemoryExceeded, Termination::new(LimitKind::MemoryBytes, limit, 0)),
        Verdict::limited(Status::OutputExceeded, Termination::new(LimitKind::OutputBytes, limit, 1)),
        Verdict { status: Status::Cancelled, exit_code: None, termination: None, error: None },
        Verdict::failed(Status::Rejected, failure.clone()),
        Verdict::failed(Status::InternalError, failure),
    ] {
        let mut stored = fixtures::execution(&user, &module);
        stored.verdict = verdict.clone();
        let mut inline = ExecutionRecord { usage, truncated: true, verdict, ..fixtures::execution(&user, &module) };
        inline.key_id = Some(fixtures::id());
        (inline.module.id, inline.module.name, inline.module.version) = (None, None, None);
        (inline.limits.timeout_ms, inline.limits.memory_bytes) = (most, most);
        for record in [stored, inline] {
            let record = kept(storage, record).await;
            assert_eq!(storage.execution(user.id, record.id).await.unwrap(), Some(record.clone()));
            assert_eq!(storage.list_executions(&of(&user), first(1)).await.unwrap(), [record]);
        }
    }
}

pub(super) async fn numbers_that_cannot_be_kept_are_refused(storage: &Arc<dyn Storage>) {
    let (user, module) = with_module(storage).await;
    for wrong in [i64::MAX as u64 + 1, u64::MAX] {
        let mut record = fixtures::execution(&user, &module);
        record.usage.wall_us = wrong;
        assert!(storage.record_execution(&record).await.is_err());
        assert_eq!(storage.execution(user.id, record.id).await.unwrap(), None);
    }
}

pub(super) async fn times_are_kept_to_the_microsecond(storage: &Arc<dyn Storage>) {
    let (user, module) = with_module(storage).await;
    for nanos in [1_000, 999_000, 123_456_000, 999_999_000, 999_999_999] {
        let mut record = fixtures::execution(&user, &module);
        record.created_at = DateTime::from_timestamp(record.created_at.timestamp(), nanos).unwrap();
        storage.record_execution(&record).await.unwrap();
        let found = storage.execution(user.id, record.id).await.unwrap().unwrap();
        assert!((found.created_at - record.created_at).abs() < TimeDelta::microseconds(1));
        assert_eq!(storage.list_executions(&of(&user), first(1)).await.unwrap(), [found]);
    }
}

pub(super) async fn an_execution_is_its_users_own(storage: &Arc<dyn Storage>) {
    let ((user, module), other) = (with_module(storage).await, added_user(storage).await);
    let record = kept(storage, fixtures::execution(&user, &module)).await;
    assert_eq!(storage.execution(user.id, record.id).await.unwrap(), Some(record.clone()));
    assert_eq!(storage.execution(other.id, record.id).await.unwrap(), None);
    assert_eq!(storage.execution(user.id, fixtures::id()).await.unwrap(), None);
    assert_eq!(listed(storage, of(&other), 9).await, []);
    let by_module = ExecutionFilter { module_id: Some(module.id), ..of(&other) };
    assert_eq!(listed(storage, by_module, 9).await, []);
}

pub(super) async fn an_execution_needs_a_user_and_an_id_of_its_own(storage: &Arc<dyn Storage>) {
    let (user, module) = with_module(storage).await;
    let record = kept(storage, fixtures::execution(&user, &module)).await;
    let twin = ExecutionRecord { id: record.id, truncated: true, ..fixtures::execution(&user, &module) };
    assert!(matches!(storage.record_execution(&twin).await, Err(Error::Conflict(_))));
    assert_eq!(storage.execution(user.id, record.id).await.unwrap(), Some(record));
    let orphan = fixtures::execution(&fixtures::user(), &module);
    assert!(matches!(storage.record_execution(&orphan).await, Err(Error::NotFound(_))));
}

pub(super) async fn a_module_knows_when_it_last_ran(storage: &Arc<dyn Storage>) {
    let ((user, module), other) = (with_module(storage).await, added_user(storage).await);
    let bystander = stored(storage, &fixtures::new_module(user.id, "echo", b"other bytes")).await;
    let last = async |module: &Module| {
        let found = storage.find_module(user.id, &ModuleRef::Id(module.id)).await.unwrap();
        found.unwrap().last_executed_at
    };
    assert_eq!(last(&module).await, None);
    let (early, late) = (fixtures::execution(&user, &module), fixtures::execution(&other, &module));
    for record in [&late, &early] {
        storage.record_execution(record).await.unwrap();
        assert_eq!(last(&module).await, Some(late.created_at), "the latest, whatever the order they end in");
    }
    assert_eq!(last(&bystander).await, None);
}

pub(super) async fn a_record_outlives_its_module(storage: &Arc<dyn Storage>) {
    let (user, module) = with_module(storage).await;
    let before = kept(storage, fixtures::execution(&user, &module)).await;
    assert!(storage.delete_module(user.id, module.id, before.created_at).await.unwrap());
    let after = kept(storage, fixtures::execution(&user, &module)).await;
    let filter = ExecutionFilter { module_id: Some(module.id), ..of(&user) };
    assert_eq!(listed(storage, filter, 9).await, [after, before]);
}

pub(super) async fn lists_hold_what_the_filter_says(storage: &Arc<dyn Storage>) {
    let (user, echo) = with_module(storage).await;
    let cat = stored(storage, &fixtures::new_module(user.id, "cat", b"bytes")).await;
    let other = added_user(storage).await;
    let mut all = Vec::new();
    for number in 0..12 {
        for owner in [&user, &other] {
            let mut record = fixtures::execution(owner, if number % 3 == 0 { &cat } else { &echo });
            record.verdict = Verdict::exited(number % 2);
            if number > 8 {
                record.module.id = None;
            }
            all.insert(0, kept(storage, record).await);
        }
    }
    for module_id in [None, Some(echo.id), Some(cat.id), Some(fixtures::id())] {
        for status in [None, Some(Status::Succeeded), Some(Status::Failed), Some(Status::Trapped)] {
            for since in [None, Some(all[14].created_at)] {
                for until in [None, Some(all[4].created_at)] {
                    let filter = ExecutionFilter { user_id: user.id, module_id, status, since, until };
                    let expected: Vec<_> =
                        all.iter().filter(|record| matches_filter(record, &filter)).cloned().collect();
                    for limit in [1, 3, 50] {
                        assert_eq!(listed(storage, filter, limit).await, expected, "{filter:?} by {limit}");
                    }
                }
            }
        }
    }
}

fn matches_filter(record: &ExecutionRecord, filter: &ExecutionFilter) -> bool {
    record.user_id == filter.user_id
        && filter.module_id.is_none_or(|id| record.module.id == Some(id))
        && filter.status.is_none_or(|status| record.verdict.status == status)
        && filter.since.is_none_or(|since| record.created_at >= since)
        && filter.until.is_none_or(|until| record.created_at < until)
}

pub(super) async fn a_list_by_time_begins_at_since_and_ends_before_until(storage: &Arc<dyn Storage>) {
    let (user, module) = with_module(storage).await;
    let mut records = Vec::new();
    for _ in 0..4 {
        records.push(kept(storage, fixtures::execution(&user, &module)).await);
    }
    let between = async |since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>| {
        let records = listed(storage, ExecutionFilter { since, until, ..of(&user) }, 2).await;
        records.into_iter().rev().collect::<Vec<_>>()
    };
    let (micro, at) = (TimeDelta::microseconds(1), |number: usize| Some(records[number].created_at));
    assert_eq!(between(at(1), at(3)).await, records[1..3]);
    assert_eq!(between(at(1).map(|at| at + micro), at(3).map(|at| at + micro)).await, records[2..4]);
    assert_eq!(between(at(2), at(2)).await, []);
    assert_eq!(between(at(3), at(1)).await, []);
    assert_eq!(between(Some(DateTime::<Utc>::MIN_UTC), Some(DateTime::<Utc>::MAX_UTC)).await, records);
    assert_eq!(between(Some(DateTime::<Utc>::MAX_UTC), None).await, []);
    assert_eq!(between(None, Some(DateTime::<Utc>::MIN_UTC)).await, []);
    assert_eq!(between(None, DateTime::from_timestamp(-1, 0)).await, []);
}

/// An id is made a little before or after the time that is kept; it must not decide what a list by time holds.
pub(super) async fn a_list_by_time_goes_by_the_records_time(storage: &Arc<dyn Storage>) {
    let (user, module) = with_module(storage).await;
    for seconds in [-59, 59] {
        let mut record = fixtures::execution(&user, &module);
        record.created_at += TimeDelta::seconds(seconds);
        let record = kept(storage, record).await;
        let (at, next) = (record.created_at, record.created_at + TimeDelta::microseconds(1));
        let filter = ExecutionFilter { since: Some(at), until: Some(next), ..of(&user) };
        assert_eq!(listed(storage, filter, 9).await, [record]);
    }
}

pub(super) async fn simultaneous_records_are_all_kept(storage: &Arc<dyn Storage>) {
    let (user, module) = with_module(storage).await;
    let records = crowd(|_| {
        let storage = storage.clone();
        let mut records: Vec<_> = (0..10).map(|_| fixtures::execution(&user, &module)).collect();
        let twin = records[0].clone();
        records.push(twin);
        async move {
            for record in &records {
                let result = storage.record_execution(record).await;
                assert!(matches!(result, Ok(()) | Err(Error::Conflict(_))), "one that fails fails alone: {result:?}");
            }
            records.pop();
            records
        }
    });
    let mut records: Vec<_> = records.await.concat();
    records.sort_by_key(|record| std::cmp::Reverse(record.id));
    assert_eq!(listed(storage, of(&user), 100).await, records);
    let found = storage.find_module(user.id, &ModuleRef::Id(module.id)).await.unwrap().unwrap();
    assert_eq!(found.last_executed_at, Some(records[0].created_at));
}

pub(super) async fn a_list_stays_the_same_while_executions_are_recorded(storage: &Arc<dyn Storage>) {
    let (user, module) = with_module(storage).await;
    let mut there = Vec::new();
    for _ in 0..20 {
        there.insert(0, kept(storage, fixtures::execution(&user, &module)).await);
    }
    let mut before = None;
    for expected in there.chunks(4) {
        let page = storage.list_executions(&of(&user), Page { limit: 4, before }).await.unwrap();
        assert_eq!(page, expected);
        before = page.last().map(|record| record.id);
        kept(storage, fixtures::execution(&user, &module)).await;
    }
}
