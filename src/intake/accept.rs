//! Applies a valid request to the tenant's document.

use jiff::Timestamp;
use serde_json::json;
use tenantry_core::{
    blueprint::{BlueprintRef, Plan, PlanContext},
    engine::{self, cut, desired, removal},
    ids::TenantId,
    tenant::{Extent, Goal, Operation, PinnedPlan, Spec, Status, StepState, Suspension, Tenant},
};

use super::{
    Command, Fault, Intake, IntakeDecision, Replacement, Request, RequestAnswer, Stamp,
    external::{self, Bond},
    placement,
    planning::{Base, Pinned},
    repeat, replace,
};
use crate::{
    ports::{MAX_RACES, StoreError, Stored},
    telemetry::Trace,
};

impl Intake {
    /// Applies a request to the tenant's document and returns the answer: accepted, planned (a dry run) or rejected.
    ///
    /// This loop is used instead of `StateStore::update` for two reasons: the first save creates the document, and
    /// between the read and the save the blueprint text is saved and the other system's operation is bound. Both may
    /// have to be repeated.
    pub(super) async fn accept(&self, key: &str, request: &Request) -> Result<RequestAnswer, StoreError> {
        for _ in 0..MAX_RACES {
            let bond = match self.bond(request).await? {
                Bond::Repeats(first) => return Ok(*first),
                Bond::Taken => return Ok(rejected(request, vec![external::conflict()])),
                bond @ (Bond::Held | Bond::Free(_)) => bond,
            };
            let stored = self.ports.store.load(&request.tenant_id).await?;
            let (past, seen) = match stored {
                Some(Stored { value, etag }) => (Some(value), Some(etag)),
                None => (None, None),
            };
            if past.as_ref().is_some_and(|tenant| !request.channel.may_change(&tenant.channel)) {
                return Ok(rejected(request, vec![repeat::not_yours()]));
            }
            let own = request.past(&request.operation_id);
            if let Some(tenant) = &past
                && let Some(known) = tenant.remembers(&own)
            {
                let first = accepted(request, &known.operation_id, tenant);
                if self.bind(request, bond).await? {
                    return Ok(first.again());
                }
                continue;
            }
            let now = self.ports.clock.now();
            let pinned = self.pinned_for(request, past.as_ref()).await?;
            let before = past.as_ref().map(|tenant| tenant.plan.blueprint.clone());
            let tenant = match self.changed(request, past, pinned, now) {
                Ok(Changed::Saved(tenant)) => tenant,
                Ok(Changed::OnlyPlanned(plan, replaces)) => {
                    let planned = planned(request, &plan, before);
                    return Ok(RequestAnswer { replaces, ..planned });
                }
                Err(faults) => return Ok(rejected(request, faults)),
            };
            self.catalogue.keep(self.ports.store.as_ref(), &tenant.plan.blueprint.digest).await?;
            // Another delivery may have been refused before the tenant reached the loaded state; that answer stands.
            if let Some(first) =
                self.answered(key).await?.filter(|first| first.decision == IntakeDecision::Rejected)
            {
                return Ok(first.again());
            }
            if !self.bind(request, bond).await? {
                continue;
            }
            match self.ports.store.save(&tenant, seen.as_ref()).await {
                Ok(_) => {
                    // A retry continues an earlier operation, whose id is the one that the document remembers for the
                    // request.
                    let taken_up = tenant.remembers(&own).map(|past| past.operation_id.as_str());
                    return Ok(accepted(request, taken_up.unwrap_or(&request.operation_id), &tenant));
                }
                Err(StoreError::Overtaken) => {}
                Err(StoreError::Refused(why)) => {
                    return Ok(rejected(request, vec![Fault::new("/spec", "too_large", why)]));
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::out_of_races(&request.tenant_id))
    }

    fn changed(
        &self,
        request: &Request,
        past: Option<Tenant>,
        pinned: Pinned,
        now: Timestamp,
    ) -> Result<Changed, Vec<Fault>> {
        let fault = |pointer: &str, code: &str, message: String| vec![Fault::new(pointer, code, message)];
        if request.deadline.is_some_and(|deadline| deadline < now) {
            return Err(fault(
                "/deadline",
                "expired",
                "the deadline had passed when the request was taken in".to_owned(),
            ));
        }
        let version = past.as_ref().map(Tenant::version).unwrap_or_default();
        if request.expected_version.is_some_and(|expected| expected != version) {
            return Err(fault("/expectedVersion", "stale", format!("the tenant has version {version}")));
        }
        let id = &request.tenant_id;
        let unknown = || fault("/tenantId", "unknown_tenant", format!("there is no tenant {id}"));
        let (mut tenant, previous) = match (&request.command, past) {
            (Command::Signup(_), Some(past)) if past.status != Status::Deleted => {
                let message = format!("tenant {id} exists and is {}", past.status.as_str());
                return Err(fault("/tenantId", "tenant_exists", message));
            }
            (Command::Signup(spec), past) => {
                let previous = past.as_ref().map_or(Status::Requested, |tenant| tenant.status);
                (self.signed_up(request, spec, past, now)?, previous)
            }
            (_, None) => return Err(unknown()),
            (Command::Update(_) | Command::Suspend(..) | Command::Resume, Some(mut tenant)) => {
                let previous = tenant.status;
                refuse_removed(&tenant)?;
                self.ask_again(request, &mut tenant, pinned, now)?;
                (tenant, previous)
            }
            (Command::Deprovision, Some(mut tenant)) => {
                let previous = tenant.status;
                let by = operation(request, &tenant, previous, now);
                desired::remove(&mut tenant, &by, now);
                (tenant, previous)
            }
            // The document has the desired state, so no blueprint is read.
            (Command::Reconcile, Some(mut tenant)) => {
                let previous = tenant.status;
                refuse_removed(&tenant)?;
                desired::retry(&mut tenant, now);
                (tenant, previous)
            }
            (Command::Retry { .. }, Some(tenant)) => {
                return Self::retried(request, tenant, now);
            }
        };
        if request.dry_run {
            let replaces = replace::with_consent_of(&tenant, &request.request_id);
            return Ok(Changed::OnlyPlanned(tenant.plan, replaces));
        }
        let operation = operation(request, &tenant, previous, now);
        take_on(&mut tenant, request, operation, now);
        Ok(Changed::Saved(Box::new(tenant)))
    }

    /// Creates the document of a new tenant, or of a new incarnation of a deleted one, with a blueprint that is offered
    /// now.
    fn signed_up(
        &self,
        request: &Request,
        spec: &Spec,
        past: Option<Tenant>,
        now: Timestamp,
    ) -> Result<Tenant, Vec<Fault>> {
        let id = &request.tenant_id;
        let incarnation = past.as_ref().map(|tenant| tenant.incarnation).unwrap_or_default() + 1;
        let stamp = placement::choose(&self.stamps, spec.region.as_deref()).ok_or_else(|| {
            let message = "no stamp of this deployment is in that region";
            vec![Fault::new("/spec/region", "no_placement", message)]
        })?;
        let version = request.blueprint_version.as_deref();
        let blueprint = self.catalogue.choose(spec.blueprint.as_deref(), version)?;
        let base = Base { blueprint, stamp: stamp.clone() };
        let plan = self.plan_with(&base, id, incarnation, spec)?;
        let mut tenant = match past {
            None => Tenant::new(id.clone(), spec.clone(), stamp.placement(), plan, now),
            Some(past) => past.again(spec.clone(), stamp.placement(), plan, now),
        };
        tenant.channel = request.channel.clone();
        Ok(tenant)
    }

    /// Changes the desired state of an existing tenant. The plan is made from the blueprint that the tenant is pinned
    /// to, unless the request moves the tenant to another one.
    fn ask_again(
        &self,
        request: &Request,
        tenant: &mut Tenant,
        pinned: Pinned,
        now: Timestamp,
    ) -> Result<(), Vec<Fault>> {
        let base = self.base_of(request, tenant, pinned)?;
        let spec = changed_spec(&request.command, tenant, &base, now)?;
        let plan = self.plan_with(&base, &tenant.id, tenant.incarnation, &spec)?;
        let consent = replace::consent(request, now);
        desired::update(tenant, spec, plan, consent.as_ref(), now)
            .map_err(|replaced| vec![replace::refusal(tenant, &request.command, &replaced)])?;
        cut_access(tenant, &request.command, &base, now);
        Ok(())
    }

    /// Applies a retry, which continues the blocked operation with one more attempt.
    fn retried(request: &Request, mut tenant: Tenant, now: Timestamp) -> Result<Changed, Vec<Fault>> {
        let waits = tenant
            .steps()
            .values()
            .any(|record| matches!(record.state, StepState::Blocked { .. } | StepState::Backoff { .. }));
        if !waits && tenant.blocked.is_none() {
            let (id, status) = (&tenant.id, tenant.status.as_str());
            let instead = match tenant.goal {
                Goal::Present => format!(
                    "; to have every step read and reconciled now, send the action reconcile, or run \
                     `tenantry reconcile {id}`"
                ),
                Goal::Absent => String::new(),
            };
            let message = format!("tenant {id} is {status}: nothing is blocked{instead}");
            return Err(vec![Fault::new("/tenantId", "nothing_to_retry", message)]);
        }
        let replaceable = removal::replaceable(&tenant);
        desired::retry(&mut tenant, now);
        if let Some(consent) = replace::consent(request, now) {
            removal::consent(&mut tenant, &replaceable, &consent);
        }
        if request.dry_run {
            let replaces = replace::with_consent_of(&tenant, &request.request_id);
            return Ok(Changed::OnlyPlanned(tenant.plan, replaces));
        }
        if tenant.operations.is_empty() {
            tenant.operations.extend(tenant.blocked.take());
        }
        let stopped = tenant.status.settled();
        match tenant.operations.last_mut() {
            // If the work of an earlier accepted retry has not started yet, this request is part of that attempt.
            Some(operation) if stopped && operation.started => {
                operation.attempt += 1;
                operation.started = false;
                operation.previous_status = tenant.status;
            }
            Some(_) => {}
            None => {
                let status = tenant.status;
                let operation = operation(request, &tenant, status, now);
                tenant.operations.push(operation);
            }
        }
        // The operation is running again, so another retry finds nothing blocked.
        tenant.blocked = None;
        let Some(last) = tenant.operations.last() else { return Ok(Changed::Saved(Box::new(tenant))) };
        let id = last.id.clone();
        tenant.status = engine::working(last.action, tenant.goal);
        tenant.remember(request.past(&id));
        tenant.raise_version();
        tenant.due_at = Some(now);
        tenant.updated_at = now;
        Ok(Changed::Saved(Box::new(tenant)))
    }
}

/// The values from which a tenant's plan is made, as blueprints see them.
pub fn plan_context(
    deployment: &str,
    id: &TenantId,
    incarnation: u32,
    spec: &Spec,
    stamp: &Stamp,
) -> PlanContext {
    PlanContext {
        deployment: deployment.to_owned(),
        tenant_id: id.clone(),
        incarnation,
        tier: spec.tier.clone(),
        tenant: json!({
            "id": id, "displayName": spec.display_name, "tier": spec.tier,
            "region": stamp.text("region"), "homeTenantId": spec.home_tenant_id,
            "adminContact": spec.admin_contact, "tags": spec.tags, "quantity": spec.quantity,
            "suspended": spec.suspended.is_some(),
            "stopped": spec.suspended.is_some_and(|suspension| suspension.mode == Extent::Compute),
        }),
        parameters: spec.parameters.clone(),
        stamp: stamp.value.clone(),
    }
}

/// The spec of an existing tenant after a request.
fn changed_spec(command: &Command, tenant: &Tenant, base: &Base, now: Timestamp) -> Result<Spec, Vec<Fault>> {
    let spec = tenant.spec.clone();
    match command {
        Command::Update(changes) => Ok(changes.apply(spec)),
        Command::Suspend(reason, mode) => {
            if !base.blueprint.is_suspendable() {
                let name = base.blueprint.name();
                let message = format!(
                    "no step of the blueprint {name} depends on tenant.suspended, so nothing would change"
                );
                return Err(vec![Fault::new("/action", "not_suspendable", message)]);
            }
            let since = spec.suspended.map_or(now, |suspension| suspension.since);
            Ok(Spec { suspended: Some(Suspension { reason: *reason, mode: *mode, since }), ..spec })
        }
        Command::Resume => Ok(Spec { suspended: None, ..spec }),
        Command::Signup(_) | Command::Deprovision | Command::Retry { .. } | Command::Reconcile => Ok(spec),
    }
}

/// Starts to measure, at a suspension, when the tenant's access is cut; ends the measurement at a resumption.
fn cut_access(tenant: &mut Tenant, command: &Command, base: &Base, now: Timestamp) {
    match command {
        Command::Suspend(..) => cut::begin(tenant, base.blueprint.cutting_steps(), now),
        Command::Resume => tenant.cut = None,
        Command::Signup(_)
        | Command::Update(_)
        | Command::Deprovision
        | Command::Retry { .. }
        | Command::Reconcile => {}
    }
}

enum Changed {
    Saved(Box<Tenant>),
    OnlyPlanned(PinnedPlan, Vec<Replacement>),
}

fn operation(request: &Request, tenant: &Tenant, previous_status: Status, now: Timestamp) -> Operation {
    Operation {
        id: request.operation_id.clone(),
        action: request.command.action(),
        request_id: request.request_id.clone(),
        generation: tenant.generation,
        attempt: 1,
        started_at: now,
        started: false,
        previous_status,
        external: request.external.clone(),
        traceparent: Trace::current_header(),
    }
}

/// Adds an accepted request to the document. Once the document is saved, the request can't be lost.
fn take_on(tenant: &mut Tenant, request: &Request, operation: Operation, now: Timestamp) {
    // The request supersedes a blocked operation, whose outcome has been published.
    tenant.blocked = None;
    tenant.raise_version();
    let mut data = engine::common_data(tenant, &operation);
    replace::note(&mut data, tenant, &request.request_id);
    tenant.enqueue_event(&operation, "tenant.request.accepted", data, now);
    tenant.remember(request.past(&operation.id));
    tenant.operations.push(operation);
    tenant.due_at = Some(now);
    tenant.updated_at = now;
}

fn refuse_removed(tenant: &Tenant) -> Result<(), Vec<Fault>> {
    match tenant.goal {
        Goal::Present => Ok(()),
        Goal::Absent => {
            let message = format!("tenant {} is {}", tenant.id, tenant.status.as_str());
            Err(vec![Fault::new("/tenantId", "tenant_removed", message)])
        }
    }
}

/// The answer to an accepted request. It lists the objects that are deleted and recreated with the request's consent.
fn accepted(request: &Request, operation_id: &str, tenant: &Tenant) -> RequestAnswer {
    let answer = RequestAnswer::accepted(&request.request_id, &request.tenant_id, operation_id);
    RequestAnswer { replaces: replace::with_consent_of(tenant, &request.request_id), ..answer }
}

fn rejected(request: &Request, mut faults: Vec<Fault>) -> RequestAnswer {
    for fault in &mut faults {
        fault.pointer.insert_str(0, request.at);
    }
    let (id, tenant) = (request.request_id.clone(), request.tenant_id.clone());
    RequestAnswer {
        operation_id: Some(request.operation_id.clone()),
        ..RequestAnswer::rejected(Some(id), Some(tenant), faults)
    }
}

/// The answer to a dry run, with the plan. If an update would move the tenant to another blueprint or version, the plan
/// names the previous one.
fn planned(request: &Request, plan: &Plan, before: Option<BlueprintRef>) -> RequestAnswer {
    let accepted = RequestAnswer::accepted(&request.request_id, &request.tenant_id, &request.operation_id);
    let mut shown = json!(plan);
    let moved = before.filter(|past| past.digest != plan.blueprint.digest);
    if let Some(past) = moved.filter(|_| matches!(request.command, Command::Update(_))) {
        shown["movesFrom"] = json!(past);
    }
    RequestAnswer { decision: IntakeDecision::Planned, plan: Some(shown), ..accepted }
}
