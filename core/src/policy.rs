//! Execution policies: the one place that decides limits.

use std::{any::Any, fmt::Debug};

use async_trait::async_trait;

use crate::{
    Result,
    execution::{Limits, RequestedLimits},
    module::Inspection,
    plugin::{Needs, plugin_kind},
    principal::Principal,
    rate_limit::Quota,
};

plugin_kind!(dyn ExecutionPolicy, "policy", Needs);

/// Leave to run, for as long as it is kept.
#[derive(Debug)]
pub struct Admission {
    /// The limits that hold.
    pub limits: Limits,
    /// The caller's place among their simultaneous executions, given back when dropped.
    pub permit: Option<Box<dyn Any + Send + Sync>>,
}

/// A tier, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Its name.
    pub name: String,
    /// Its place: nobody makes a key of a higher tier than their own.
    pub rank: usize,
    /// Requests.
    pub quota: Quota,
    /// What an execution may use.
    pub limits: Limits,
    /// Executions at a time.
    pub concurrent_executions: usize,
}

/// Decides who may use how much.
///
/// # Behavior
/// - A caller can lower limits, never raise them: asking for more is [`crate::Error::Invalid`] naming the ceiling.
/// - A tier that the configuration no longer names gets what the lowest tier gets.
/// - [`ExecutionPolicy::limits`] says what [`ExecutionPolicy::admit`] would, and takes nothing.
#[async_trait]
pub trait ExecutionPolicy: Debug + Send + Sync + 'static {
    /// Every tier, lowest first.
    fn tiers(&self) -> Vec<Tier>;

    /// The tier of a principal.
    fn tier(&self, principal: &Principal) -> Tier;

    /// The limits an execution would have.
    async fn limits(&self, principal: &Principal, asked: &RequestedLimits, module: &Inspection) -> Result<Limits>;

    /// Admit an execution, or say that too many run ([`crate::Error::TooManyExecutions`]).
    async fn admit(&self, principal: &Principal, asked: &RequestedLimits, module: &Inspection) -> Result<Admission>;
}
