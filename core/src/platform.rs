//! The platform: the plugins that the configuration chose, and the way of an execution through them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    Error, Result,
    auth::{AuthProvider, Credential},
    blobs::BlobStore,
    config::{Config, ConfigError, Profile},
    execution::{ExecutedModule, ExecutionRecord, Invocation, Limit, LimitKind, Limits, Outcome, StoredLimits},
    executor::{Executor, Job, ModuleSource},
    module::{CheckedModule, Module, ModuleRef, NewModule, Visibility},
    plugin::{Needs, Registry},
    policy::ExecutionPolicy,
    principal::Principal,
    rate_limit::{Decision, RateLimiter},
    storage::{Inserted, Storage},
    system::System,
};

/// A module to be uploaded.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Who may run and see it.
    pub visibility: Visibility,
    /// Its bytes: the binary format or the text format.
    pub bytes: Bytes,
}

/// What is to be run.
#[derive(Clone, Debug)]
pub enum Target {
    /// A stored module.
    Stored(Box<Module>),
    /// Bytes that came with the request.
    Inline(Box<CheckedModule>),
}

/// One execution, done.
#[derive(Clone, Debug)]
pub struct Execution {
    /// What is kept of it.
    pub record: ExecutionRecord,
    /// What came out of it.
    pub outcome: Outcome,
}

/// The plugins, and what they do together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Clock, randomness, data folder.
    pub system: System,
    /// Keeps records.
    pub storage: Arc<dyn Storage>,
    /// Keeps modules' bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Counts requests.
    pub rate_limit: Arc<dyn RateLimiter>,
    /// Decides limits.
    pub policy: Arc<dyn ExecutionPolicy>,
    /// Runs modules.
    pub executor: Arc<dyn Executor>,
    auth: Arc<[Arc<dyn AuthProvider>]>,
    max_args_bytes: u64,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Platform {
    /// Build the plugins that `config` chooses.
    ///
    /// # Errors
    /// The first plugin that cannot be built, and why.
    pub async fn build(config: &Config, system: System) -> Result<Self, ConfigError> {
        let (chosen, figment) = (&config.selection, config.figment());
        let storage = Registry::<dyn Storage>::linked()?.get(&chosen.storage)?.build(figment, system.clone()).await?;
        let needs = Needs { system: system.clone(), storage: storage.clone() };
        let mut auth: Vec<Arc<dyn AuthProvider>> = Vec::new();
        for name in &chosen.auth {
            auth.push(Registry::<dyn AuthProvider>::linked()?.get(name)?.build(figment, needs.clone()).await?);
        }
        if config.profile != Profile::Development && auth.iter().any(|provider| provider.allows_anonymous()) {
            return Err(ConfigError::Value(format!(
                "a provider in `auth.use` lets in callers without a credential; the profile {} refuses that",
                config.profile
            )));
        }
        let blobs = Registry::<dyn BlobStore>::linked()?.get(&chosen.blobs)?.build(figment, needs.clone()).await?;
        let policy = Registry::<dyn ExecutionPolicy>::linked()?.get(&chosen.policy)?.build(figment, needs).await?;
        let rate_limit =
            Registry::<dyn RateLimiter>::linked()?.get(&chosen.rate_limit)?.build(figment, system.clone()).await?;
        let executor =
            Registry::<dyn Executor>::linked()?.get(&chosen.executor)?.build(figment, system.clone()).await?;
        Ok(Self {
            system,
            storage,
            blobs,
            rate_limit,
            policy,
            executor,
            auth: auth.into(),
            max_args_bytes: config.server.max_args_bytes,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        })
    }

    /// Whether callers need a credential.
    pub fn needs_login(&self) -> bool {
        !self.auth.iter().any(|provider| provider.allows_anonymous())
    }

    /// Establish who shows `credential`: the first provider that recognises it answers.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when none does, or the one that does refuses it.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Principal> {
        for provider in self.auth.iter() {
            if let Some(principal) = provider.authenticate(credential).await? {
                return Ok(principal);
            }
        }
        Err(Error::Unauthenticated(match credential {
            Credential::None => "this needs a credential: send `Authorization: Bearer <API key>` or `X-API-Key`".into(),
            Credential::Token(_) => {
                "the credential is of no form that this server knows; API keys begin with `ww_`".into()
            }
        }))
    }

    /// Take a token from the principal's bucket.
    ///
    /// # Errors
    /// When the limiter does not answer. A bucket that is empty is a [`Decision`], not an error.
    pub async fn count_request(&self, principal: &Principal) -> Result<Decision> {
        self.rate_limit.take(principal.bucket(), self.policy.tier(principal).quota).await
    }

    /// Revoke a key of the principal's, and forget what is remembered of it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the principal has no such key.
    pub async fn revoke_key(&self, principal: &Principal, id: Uuid) -> Result<()> {
        let revoked = self.storage.revoke_api_key(principal.user_id, id, self.system.clock.now()).await?;
        self.auth.iter().for_each(|provider| provider.forget_key(id));
        if revoked { Ok(()) } else { Err(Error::NotFound(format!("key {id}"))) }
    }

    /// Check and store a module.
    ///
    /// # Errors
    /// What is wrong with the name, the description or the bytes.
    pub async fn upload(&self, owner: Uuid, upload: Upload) -> Result<Inserted> {
        Module::check_name(&upload.name).map_err(|reason| Error::invalid("name", reason))?;
        if upload.description.len() > Module::MAX_DESCRIPTION {
            return Err(Error::invalid("description", format!("has at most {} bytes", Module::MAX_DESCRIPTION)));
        }
        let checked = self.executor.inspect(upload.bytes).await?;
        let size_bytes = checked.wasm.len() as u64;
        // Bytes first: a record whose bytes are missing could not be run, bytes without a record do no harm.
        self.blobs.put(&checked.sha256, checked.wasm).await?;
        let module = NewModule {
            id: self.system.new_id(),
            owner,
            name: upload.name,
            description: upload.description,
            sha256: checked.sha256,
            size_bytes,
            visibility: upload.visibility,
            inspection: checked.inspection,
            created_at: self.system.clock.now(),
        };
        self.storage.insert_module(&module).await
    }

    /// Find the module that the principal means.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when it is somebody else's.
    pub async fn find_module(&self, principal: &Principal, reference: &ModuleRef) -> Result<Module> {
        let found = self.storage.find_module(principal.user_id, reference).await?;
        found.ok_or_else(|| Error::NotFound(format!("module `{reference}`")))
    }

    /// Run a module: admit, execute, record. When the returned future is dropped, the execution is cancelled and
    /// still recorded.
    ///
    /// # Errors
    /// When it did not run: too many at a time, no room in the queue, a limit above the ceiling, the store is away.
    pub async fn execute(
        &self,
        principal: &Principal,
        target: Target,
        invocation: Invocation,
        live_stdout: Option<mpsc::Sender<Bytes>>,
    ) -> Result<Execution> {
        self.start(principal, target, invocation, live_stdout).await?.finish().await
    }

    /// Begin what [`Platform::execute`] does, and tell the execution's id at once.
    ///
    /// # Errors
    /// When it is not admitted.
    pub async fn start(
        &self,
        principal: &Principal,
        target: Target,
        invocation: Invocation,
        live_stdout: Option<mpsc::Sender<Bytes>>,
    ) -> Result<Running> {
        self.check_args(&invocation)?;
        let (module, source, inspection) = match target {
            Target::Stored(module) => {
                let executed = ExecutedModule {
                    id: Some(module.id),
                    name: Some(module.name),
                    version: Some(module.version),
                    sha256: module.sha256,
                };
                (executed, ModuleSource::Stored(self.blobs.clone()), module.inspection)
            }
            Target::Inline(checked) => {
                let executed = ExecutedModule { id: None, name: None, version: None, sha256: checked.sha256 };
                (executed, ModuleSource::Inline(checked.wasm), checked.inspection)
            }
        };
        let admission = self.policy.admit(principal, &invocation.limits, &inspection).await?;
        check_files(&invocation, &admission.limits)?;
        let cancel = self.stopping.child_token();
        let id = self.system.new_id();
        let (limits, created_at) = (admission.limits, self.system.clock.now());
        let job = Job {
            sha256: module.sha256,
            source,
            program: module.name.clone().unwrap_or_else(|| "module".into()),
            invocation,
            limits,
            live_stdout,
            cancel: cancel.clone(),
        };
        let (platform, user_id, key_id) = (self.clone(), principal.user_id, principal.key_id);
        let task = self.tasks.spawn(async move {
            let outcome = platform.executor.execute(job).await?;
            drop(admission);
            let record = ExecutionRecord {
                id,
                user_id,
                key_id,
                module,
                verdict: outcome.verdict.clone(),
                limits: StoredLimits { timeout_ms: limits.timeout_ms.value, memory_bytes: limits.memory_bytes.value },
                usage: outcome.usage,
                truncated: outcome.truncated,
                created_at,
            };
            platform.record(&record).await;
            Ok(Execution { record, outcome })
        });
        Ok(Running { id, task, _cancel: cancel.drop_guard() })
    }

    /// Cancel what runs after `grace`, wait for it, and write out what is buffered.
    pub async fn close(&self, grace: Duration) {
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(executions = self.tasks.len(), "the grace is over; cancelling what still runs");
            self.stopping.cancel();
            self.tasks.wait().await;
        }
        self.executor.close().await;
        self.storage.close().await;
    }

    async fn record(&self, record: &ExecutionRecord) {
        tracing::info!(
            execution = %record.id,
            user = %record.user_id,
            module = record.module.name.as_deref().unwrap_or("inline"),
            status = %record.verdict.status,
            wall_us = record.usage.wall_us,
            "execution finished"
        );
        if let Err(error) = self.storage.record_execution(record).await {
            tracing::error!(execution = %record.id, error = crate::error::chain(&error), "execution was not recorded");
        }
    }

    /// Refuse arguments and environment that no program could be started with.
    fn check_args(&self, invocation: &Invocation) -> Result<()> {
        let args = invocation.args.iter().enumerate().map(|(index, arg)| (format!("args[{index}]"), arg.as_str()));
        let names = invocation.env.keys().map(|name| (format!("env.{name}"), name.as_str()));
        let values = invocation.env.iter().map(|(name, value)| (format!("env.{name}"), value.as_str()));
        let mut bytes = 0;
        for (location, text) in args.chain(names).chain(values) {
            if text.contains('\0') {
                return Err(Error::invalid(location, "must not contain NUL"));
            }
            bytes += text.len() as u64 + 1;
        }
        if invocation.env.keys().any(|name| name.is_empty() || name.contains('=')) {
            return Err(Error::invalid("env", "a variable's name must not be empty or contain `=`"));
        }
        if bytes > self.max_args_bytes {
            return Err(Error::TooLarge { what: "args and env together".into(), limit: self.max_args_bytes });
        }
        Ok(())
    }
}

/// Refuse files that the guest's file system has no room for.
fn check_files(invocation: &Invocation, limits: &Limits) -> Result<()> {
    let contents = invocation.files.iter().filter_map(|file| file.content.as_ref());
    let bytes: u64 = contents.map(|content| content.len() as u64).sum();
    let asked = [
        (LimitKind::FileBytes, limits.file_bytes, bytes, "bytes"),
        (LimitKind::FileEntries, limits.file_entries, invocation.files.len() as u64, "entries"),
    ];
    match asked.into_iter().find(|(_, limit, asked, _)| *asked > limit.value) {
        None => Ok(()),
        Some((kind, Limit { value, source }, asked, unit)) => {
            let message = format!("have {asked} {unit} together; the limit `{kind}` is {value} (set by the {source})");
            Err(Error::invalid("files", message))
        }
    }
}

/// An execution that was admitted. Dropping it cancels the execution.
#[derive(Debug)]
pub struct Running {
    /// Its id.
    pub id: Uuid,
    task: tokio::task::JoinHandle<Result<Execution>>,
    _cancel: tokio_util::sync::DropGuard,
}

impl Running {
    /// Wait for its end.
    ///
    /// # Errors
    /// When it did not run.
    pub async fn finish(mut self) -> Result<Execution> {
        (&mut self.task).await.unwrap_or_else(|error| Err(Error::internal("run the module", error)))
    }
}
