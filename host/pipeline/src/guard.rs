//! Holds the plug-in of one step run to what it may do: asks the policy, audits a denial once, and
//! answers the plug-in with code and capability only (attack E08).
//!
//! Never looks at rows: a question is answered before anything is known to exist.

use crate::audit::{AuditRecord, DenialRecord};
use crate::run_limits;
use crate::session::Session;
use crate::touched::Touched;
use offstage_model::query::PAGE_SIZE_MAX;
use offstage_model::registration::Step;
use offstage_model::{ContextChange, Fault, Request, code};
use offstage_policy::{Capability, Denial, Limit, Permissions, PolicyDecision};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most different denials of one run that are kept and audited: a plug-in must not be able to
/// drown the others with names that it makes up.
const DENIALS_MAX: usize = 20;

/// What one step run may do, and what it was denied.
pub(crate) struct Guard {
    step: Arc<Step>,
    permissions: Arc<Permissions>,
    denied: BTreeSet<String>,
}

impl Guard {
    pub(crate) fn new(step: &Arc<Step>, permissions: Arc<Permissions>) -> Self {
        Self { step: Arc::clone(step), permissions, denied: BTreeSet::new() }
    }

    /// The step that runs.
    pub(crate) fn step(&self) -> &Step {
        &self.step
    }

    /// What the package may do.
    pub(crate) fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// What was denied in this run, each once, up to a limit.
    pub(crate) fn denied(&self) -> impl Iterator<Item = &str> {
        self.denied.iter().map(String::as_str)
    }

    /// Refuses unless all of `capabilities` are allowed.
    pub(crate) fn require(
        &mut self,
        session: &Session,
        capabilities: &[Capability<'_>],
    ) -> Result<(), Fault> {
        match capabilities.iter().find(|capability| !self.permissions.allows(capability)) {
            None => {
                session.pipeline.audit().used(self.permissions.package(), capabilities);
                Ok(())
            }
            Some(capability) => Err(self.deny(session, capability)),
        }
    }

    /// Refuses a step that acts as another user, or that is shown columns, without permission.
    pub(crate) fn require_step(&mut self, session: &Session, acts_as: bool) -> Result<(), Fault> {
        let step = Arc::clone(&self.step);
        if let Some(user) = step.declaration.impersonate.filter(|_| acts_as) {
            self.require(session, &[Capability::Impersonate(&user.to_string())])?;
        }
        let table = session.frame().context.primary_entity_name.clone();
        for image in &step.declaration.images {
            let touched = Touched::by_image(&session.catalog, &table, image);
            self.require(session, &touched.capabilities)?;
        }
        Ok(())
    }

    /// Refuses a request that touches what is not allowed.
    pub(crate) fn require_request(
        &mut self,
        session: &Session,
        request: &Request,
    ) -> Result<(), Fault> {
        let touched = Touched::by_request(&session.catalog, request);
        self.require(session, &touched.capabilities)?;
        self.require_rows(session, request)
    }

    /// Refuses a change of the context that touches what is not allowed.
    pub(crate) fn require_change(
        &mut self,
        session: &Session,
        change: &ContextChange,
    ) -> Result<(), Fault> {
        let context = &session.frame().context;
        let touched = Touched::by_change(&session.catalog, context, change);
        self.require(session, &touched.capabilities)
    }

    /// Gives a query that names no size pages that fit.
    pub(crate) fn fit_page(&self, session: &Session, request: &mut Request) {
        let rows_max = self.rows_max(session);
        if let Some(query) = request.query_mut()
            && query.top.is_none()
            && rows_max < PAGE_SIZE_MAX
        {
            query.page_size.get_or_insert(rows_max);
        }
    }

    /// Refuses a query that asks for more rows at once than one may return.
    fn require_rows(&self, session: &Session, request: &Request) -> Result<(), Fault> {
        let Some(query) = request.query() else {
            return Ok(());
        };
        let rows_max = self.rows_max(session);
        let asked = query.top.unwrap_or(0).max(query.page_size.unwrap_or(0));
        if asked <= rows_max {
            return Ok(());
        }
        Err(Fault::new(
            code::TOO_LARGE_A_REQUEST,
            format!("The query asks for {asked} rows at once; this plug-in gets {rows_max}."),
        )
        .hint("Ask for smaller pages, or grant the limit rows_per_query."))
    }

    fn rows_max(&self, session: &Session) -> u32 {
        let limits = session.pipeline.limits();
        let rows_max = run_limits::value(&self.permissions, Limit::RowsPerQuery, limits);
        u32::try_from(rows_max).unwrap_or(PAGE_SIZE_MAX)
    }

    fn deny(&mut self, session: &Session, capability: &Capability<'_>) -> Fault {
        let package = self.permissions.package();
        if self.denied.len() < DENIALS_MAX
            && let PolicyDecision::Denied(denial) = self.permissions.decide(capability)
            && self.denied.insert(denial.capability.clone())
        {
            let record = AuditRecord::Denial(self.record(session, *denial));
            session.pipeline.audit().record(&record);
        }
        let shown = capability.to_string();
        // The hint is there to be typed: no name in it may mean something to a shell.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-:/.*@".contains(c);
        let asked = if shown.chars().all(is_plain) { shown.as_str() } else { "KIND NAME" };
        let text = format!("The policy does not allow the plug-in: {shown}.");
        Fault::new(code::PRIVILEGE_DENIED, text).hint(format!(
            "`offstage policy explain {package} {asked}` says which rule is missing."
        ))
    }

    fn record(&self, session: &Session, denial: Denial) -> DenialRecord {
        DenialRecord {
            time: session.pipeline.clock().now().0,
            package: self.permissions.package().to_owned(),
            plugin_type: self.step.plugin_type.clone(),
            step: self.step.declaration.key.clone(),
            operation: session.root.operation.to_string(),
            user: session.root.caller.user.to_string(),
            capability: denial.capability,
            cause: denial.cause.name(),
            rule: denial.rule,
            requested: denial.requested.is_some(),
            reason: denial.requested,
            remedy: denial.remedy,
        }
    }
}
