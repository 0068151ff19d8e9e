//! Runs one operation: resolves its request, then stages 10, 20, 30 and 40.
//!
//! Root, nested, cascaded and replayed operations all come through here; there is no second way.

use crate::access;
use crate::context::operation_context;
use crate::session::{Frame, Session};
use offstage_model::identity::Lineage;
use offstage_model::journal::OperationNode;
use offstage_model::registration::{Stage, Step};
use offstage_model::request::{message, parameter};
use offstage_model::{Fault, Parameter, Request, Response, Uuid, Value, code};

/// An operation that is to run.
pub(crate) struct Operation {
    /// The request as its issuer gave it.
    pub(crate) request: Request,
    /// Its place below the root.
    pub(crate) lineage: Lineage,
    /// 1 for the root; one more for each plug-in in between.
    pub(crate) depth: u32,
    /// The user who acts.
    pub(crate) user: Uuid,
    /// How many equal operations the issuing step made before.
    pub(crate) occurrence: u32,
    /// The relationship, when the platform cascaded.
    pub(crate) cascade: Option<String>,
    /// What the offline run recorded of the same operation.
    pub(crate) recorded: Option<OperationNode>,
    /// The step that issued it; `None` for a caller and for the platform.
    pub(crate) issuer: Option<Issuer>,
}

/// A step as the source of an operation: whose grants count.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    /// The step's package.
    pub(crate) package: String,
    /// The step's key.
    pub(crate) step: String,
}

impl Issuer {
    /// The step as an issuer.
    pub(crate) fn of(step: &Step) -> Self {
        Self { package: step.package.clone(), step: step.declaration.key.clone() }
    }
}

impl Session {
    /// Runs `operation` and returns its answer and its record.
    pub(crate) fn run(&mut self, operation: Operation) -> Result<(Response, OperationNode), Fault> {
        self.count_operation()?;
        self.check_depth(&operation)?;
        let table = self.check_request(&operation)?;
        let issued = operation.request.clone();
        let request = self.resolve(operation.request, operation.lineage)?;
        let mut context = operation_context(self, &request, operation.user, operation.depth);
        if let Some(table) = table {
            context.primary_entity_name = table;
        }
        let mut node = OperationNode::new(issued);
        node.occurrence = operation.occurrence;
        node.cascade = operation.cascade;
        self.frames.push(Frame {
            context,
            lineage: operation.lineage,
            node,
            recorded: operation.recorded,
            issuer: operation.issuer,
            pre_row: None,
            post_row: None,
            validation: None,
            settled: std::collections::BTreeSet::new(),
        });
        let result = self.run_stages();
        let frame = self.frames.pop().expect("BUG: the operation's own frame");
        result?;
        let mut node = frame.node;
        let id = frame.context.primary_entity_id;
        node.row = (!id.is_nil()).then_some(id);
        let parameters = frame.context.output_parameters;
        Ok((Response { parameters, ..Response::default() }, node))
    }

    /// Runs `operation` so that its failure undoes it alone.
    pub(crate) fn run_in_savepoint(
        &mut self,
        operation: Operation,
    ) -> Result<(Response, OperationNode), Fault> {
        let savepoint = self.tx.savepoint()?;
        let report_lines = self.report.lines.len();
        match self.run(operation) {
            Ok(done) => {
                self.tx.release(savepoint)?;
                Ok(done)
            }
            Err(fault) => {
                self.tx.rollback_to(savepoint)?;
                self.report.lines.truncate(report_lines);
                Err(fault)
            }
        }
    }

    fn run_stages(&mut self) -> Result<(), Fault> {
        let name = self.frame().context.message_name.clone();
        // These only hold other operations, which have stages of their own.
        if matches!(name.as_str(), message::UPSERT | message::EXECUTE_TRANSACTION) {
            return self.main_operation();
        }
        self.resolve_conflicts()?;
        self.run_stage(Stage::PreValidation)?;
        self.keep_validation_context();
        self.authorize()?;
        self.run_stage(Stage::PreOperation)?;
        self.run_newly_matched_steps()?;
        self.record_effective_request();
        self.read_images_before()?;
        self.main_operation()?;
        self.run_stage(Stage::PostOperation)?;
        self.drop_unsettled()
    }

    fn authorize(&self) -> Result<(), Fault> {
        let context = &self.frame().context;
        let table = self.catalog.tables.get(&context.primary_entity_name);
        // Nested operations act with the rights of the caller; impersonation arrives with roles.
        access::authorize(&self.root.caller, &context.message_name, table)
    }

    fn check_depth(&self, operation: &Operation) -> Result<(), Fault> {
        let depth_max = self.pipeline.limits().depth_max;
        if operation.depth <= depth_max {
            return Ok(());
        }
        let chain: Vec<String> = self
            .frames
            .iter()
            .map(|frame| {
                let step = frame.node.steps.last().map(|s| s.key.as_str()).unwrap_or_default();
                format!("{} {step}", crate::context::describe(&frame.node.request, None))
            })
            .collect();
        Err(Fault::new(
            code::DEPTH_TOO_HIGH,
            format!(
                "This looks like an infinite loop: the depth of {} exceeds {depth_max}. Chain: {}.",
                operation.depth,
                chain.join(" -> ")
            ),
        )
        .hint("Add a filter or a guard to the step that triggers itself."))
    }

    /// Checks message and table; returns the table's name.
    fn check_request(&self, operation: &Operation) -> Result<Option<String>, Fault> {
        let request = &operation.request;
        if request.message == message::ENQUEUE_HTTP && operation.issuer.is_some() {
            return Ok(None);
        }
        let name = request.primary_table();
        let about_a_table = !matches!(
            request.message.as_str(),
            message::EXECUTE_TRANSACTION | message::WHO_AM_I | message::RETRIEVE_VERSION
        );
        let side = self.pipeline.side();
        if !about_a_table || !message::ALL.contains(&request.message.as_str()) {
            access::check_available(side, &request.message, None)?;
            return Ok(None);
        }
        let table = self.catalog.table(name)?;
        access::check_available(side, &request.message, Some(table))?;
        Ok(Some(table.name.clone()))
    }

    /// Gives a Create its derived id, and turns an alternate key into the id that it names.
    fn resolve(&mut self, mut request: Request, lineage: Lineage) -> Result<Request, Fault> {
        let name = request.message.clone();
        let Some(Parameter::Entity(target)) = request.parameters.get_mut(parameter::TARGET) else {
            return Ok(request);
        };
        self.take_id_from_attributes(target)?;
        if name == message::CREATE {
            if target.id.is_none() {
                target.id = Some(lineage.row());
            }
        } else if name != message::UPSERT && target.id.is_none() {
            let table = target.table.clone();
            if target.key.is_empty() {
                return Err(Fault::new(
                    code::INVALID_ARGUMENT,
                    format!("The {name} of '{table}' names no row: give its id or a key."),
                ));
            }
            let found = self.tx.find_by_key(&table, &target.key)?;
            let id = found.ok_or_else(|| no_such_key(&table, &target.key))?;
            target.id = Some(id);
            target.key.clear();
        }
        if matches!(name.as_str(), message::RETRIEVE | message::DELETE) {
            let reference = target.reference().expect("BUG: the id was set above");
            request
                .parameters
                .insert(parameter::TARGET.into(), Parameter::Value(Value::Reference(reference)));
        }
        Ok(request)
    }

    fn take_id_from_attributes(&self, target: &mut offstage_model::Entity) -> Result<(), Fault> {
        let primary_id = self.catalog.table(&target.table)?.primary_id.clone();
        match (target.attributes.remove(&primary_id), target.id) {
            (None | Some(Value::Null), _) => Ok(()),
            (Some(Value::Guid(id)), None) => {
                target.id = Some(id);
                Ok(())
            }
            (Some(Value::Guid(id)), Some(known)) if id == known => Ok(()),
            (Some(other), _) => Err(Fault::new(
                code::INVALID_VALUE,
                format!("'{primary_id}' is '{other}', which is not the id of the row."),
            )),
        }
    }

    /// Stage 10's context stays visible as ParentContext, with its SharedVariables (case N43).
    fn keep_validation_context(&mut self) {
        let frame = self.frame_mut();
        let shares = matches!(
            frame.context.message_name.as_str(),
            message::CREATE | message::UPDATE | message::DELETE
        );
        let own = frame.context.shared_variables.keys().any(|name| name != "tag");
        if shares && own {
            let mut kept = frame.context.clone();
            kept.stage = Stage::PreValidation.number();
            frame.validation = Some(Box::new(kept));
        }
    }

    fn record_effective_request(&mut self) {
        if self.root.origin != crate::session::Origin::Offline {
            return;
        }
        let frame = self.frame_mut();
        let effective = Request {
            message: frame.context.message_name.clone(),
            parameters: frame.context.input_parameters.clone(),
        };
        if effective != frame.node.request {
            frame.node.effective = Some(effective);
        }
    }
}

fn no_such_key(table: &str, key: &offstage_model::entity::Attributes) -> Fault {
    let shown: Vec<String> =
        key.iter().map(|(column, value)| format!("{column}='{value}'")).collect();
    Fault::new(
        code::OBJECT_DOES_NOT_EXIST,
        format!("{table} With Key = {} Does Not Exist", shown.join(",")),
    )
}
