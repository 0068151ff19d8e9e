//! Plug-ins in the testkit: declarations, the pipeline, both passes. Only the public API.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use offstage_sdk::testkit::{Organization, Outcome, Pass};
use offstage_sdk::{
    Change, Context, Entity, EntityReference, Guid, Parameter, Parameters, PluginError, Query,
    Request, Value, codes, column, keyed_guid, new_guid, now, plugin, random, server_now,
};

/// Sets columns of Target from what is derived of the operation.
#[plugin(
    type = "test.Derive",
    step(key = "derive", message = "Create", table = "contact", stage = PreOperation,
         deployment = Both, rank = 5, configuration = "a \"quoted\"\n text"),
)]
fn derive(context: &mut Context) -> Result<(), PluginError> {
    let mut target = context.target_mut()?;
    target.set("madeon", now());
    target.set("token", new_guid());
    target.set("other", new_guid());
    target.set("number", random() as i64);
    target.set("keyed", keyed_guid("a"));
    target.remove("scratch");
    Ok(())
}

#[plugin(
    type = "test.Clock",
    step(key = "clock", message = "Create", table = "contact", stage = PreOperation, deployment = Both),
)]
fn clock(context: &mut Context) -> Result<(), PluginError> {
    context.target_mut()?.set("seen", server_now());
    Ok(())
}

fn annotate(context: &Context, subject: &str) -> Result<Guid, PluginError> {
    let row = Entity::new("annotation")
        .with("subject", subject)
        .with("objectid", context.primary_reference()?);
    context.service().create(row)
}

#[plugin(
    type = "test.Guarded",
    step(key = "guarded", message = "Create", table = "contact", stage = PostOperation, deployment = Both),
)]
fn guarded(context: &mut Context) -> Result<(), PluginError> {
    if context.is_offline_playback() {
        return Ok(());
    }
    annotate(context, "note").map(drop)
}

#[plugin(
    type = "test.Drops",
    step(key = "drops", message = "Create", table = "contact", stage = PostOperation, deployment = Both),
)]
fn offline_only_effect(context: &mut Context) -> Result<(), PluginError> {
    if context.is_executing_offline {
        annotate(context, "note")?;
    }
    Ok(())
}

#[plugin(
    type = "test.Images",
    step(key = "images", message = "Update", table = "contact", stage = PostOperation,
         filtering("lastname"),
         image(kind = Both, alias = "row", attributes("lastname"))),
)]
fn images(context: &mut Context) -> Result<(), PluginError> {
    let before = context.pre_image("row")?.text("lastname")?.unwrap_or_default().to_owned();
    let after = context.post_image("row")?.text("lastname")?.unwrap_or_default();
    context.trace(format!("{before} -> {after}"));
    Ok(())
}

#[plugin(
    type = "test.Swallow",
    step(key = "swallow", message = "Create", table = "account", stage = PostOperation),
    step(key = "swallow-catch", message = "Create", table = "lead", stage = PostOperation,
         on_nested_error = Catch),
)]
fn swallow(context: &mut Context) -> Result<(), PluginError> {
    let gone = EntityReference::new("contact", Guid::from_u128(1));
    let error = context.service().delete(&gone).unwrap_err();
    assert_eq!(error.code(), codes::OBJECT_DOES_NOT_EXIST);
    Ok(())
}

#[plugin(
    type = "test.Loop",
    step(key = "loop", message = "Create", table = "loop", stage = PostOperation),
)]
fn endless(context: &mut Context) -> Result<(), PluginError> {
    let parent = context.parent_context(1).map(|parent| parent.depth);
    assert_eq!(parent, context.depth.checked_sub(1).filter(|&depth| depth > 0));
    context.service().create(Entity::new("loop")).map(drop)
}

#[plugin(
    type = "test.Custom",
    step(key = "custom", message = "new_Double", stage = MainOperation),
)]
fn double(context: &mut Context) -> Result<(), PluginError> {
    let Parameter::Value(Value::Integer(number)) = context.input("Number")? else {
        return Err(PluginError::new("Number is an integer"));
    };
    let doubled = number * 2;
    context.set_output("Result", doubled);
    context.set_shared_variable("seen", true);
    Ok(())
}

offstage_sdk::export!(
    package = "test/plugins",
    plugins = [derive, clock, guarded, offline_only_effect, images, swallow, endless, self::double]
);

#[test]
fn the_declaration_is_one_line_of_json() {
    assert_eq!(
        derive::PLUGIN.declaration,
        r#"{"type":"test.Derive","steps":[{"key":"derive","message":"Create","table":"contact","stage":20,"mode":0,"rank":5,"deployment":2,"filtering":[],"playback":"reconcile","on_nested_error":"fail","configuration":"a \"quoted\"\u000a text","images":[]}]}"#
    );
    assert!(images::PLUGIN.declaration.ends_with(
        r#""filtering":["lastname"],"playback":"reconcile","on_nested_error":"fail","configuration":"","images":[{"alias":"row","kind":"both","attributes":["lastname"]}]}]}"#
    ));
}

#[test]
#[should_panic(expected = "two plug-ins of the package have the same type name")]
fn a_type_name_is_exported_once() {
    offstage_sdk::__private::check_package("test/a", &[&derive::PLUGIN, &derive::PLUGIN]);
}

#[test]
#[should_panic(expected = "a package name has only")]
fn a_package_name_is_plain() {
    offstage_sdk::__private::check_package("test \"a\"", &[]);
}

#[test]
fn both_runs_name_the_same_things() {
    let contact = Entity::new("contact").with("scratch", 1);
    let organization = Organization::new().with_plugin(&derive::PLUGIN);
    let runs = organization.run_twice(Request::create(contact));
    runs.assert_clean();
    assert_eq!(runs.offline.result, runs.playback.result);
    assert_eq!(runs.reconciliation.paired(), 6);
    let row = &organization.rows("contact")[0];
    assert_ne!(row.get("token"), row.get("other"));
    assert!(!row.contains("scratch"));
    let changes = &runs.playback.steps[0].changes;
    assert!(
        matches!(changes.last(), Some(Change::RemoveAttribute { column, .. }) if column == "scratch")
    );
}

#[test]
fn what_differs_or_is_lost_is_not_clean() {
    let create = || Request::create(Entity::new("contact"));
    let runs = Organization::new().with_plugin(&clock::PLUGIN).run_twice(create());
    assert_eq!(runs.reconciliation.count(Outcome::Differs), 1);
    assert!(runs.problems()[0].contains("clock: column seen: Differs"), "{:?}", runs.problems());

    let runs = Organization::new().with_plugin(&offline_only_effect::PLUGIN).run_twice(create());
    assert_eq!(runs.reconciliation.count(Outcome::Dropped), 1);
    assert_eq!(runs.problems().len(), 1);

    let runs = Organization::new().with_plugin(&guarded::PLUGIN).run_twice(create());
    runs.assert_clean();
    assert_eq!(runs.reconciliation.count(Outcome::CarriedOver), 1);
    assert_eq!(runs.reconciliation.unpaired_offline().count(), 1);
}

#[test]
fn images_hold_the_row_before_and_after() {
    let id = Guid::from_u128(7);
    let organization = Organization::new()
        .with_plugin(&images::PLUGIN)
        .with_row(Entity::with_id("contact", id).with("lastname", "Old"));
    let update =
        |column, value| Request::update(Entity::with_id("contact", id).with(column, value));
    assert_eq!(organization.run(update("lastname", "New")).trace, ["Old -> New"]);
    assert!(organization.run(update("firstname", "Ann")).trace.is_empty(), "not filtered in");
    let offline = organization.run_as(Pass::Offline, update("lastname", "Newer"));
    assert!(offline.steps.is_empty(), "a step is for the server unless it says otherwise");
}

#[test]
fn a_swallowed_nested_error_fails_the_request_unless_the_step_catches() {
    let organization = Organization::new().with_plugin(&swallow::PLUGIN);
    let error = organization.execute(Request::create(Entity::new("account"))).unwrap_err();
    assert_eq!(error.code(), 0x8009_000C);
    assert!(organization.rows("account").is_empty(), "the root is rolled back");
    organization.execute(Request::create(Entity::new("lead"))).unwrap();
    assert_eq!(organization.rows("lead").len(), 1);
}

#[test]
fn a_loop_ends_at_depth_eight_and_a_fault_is_injected_once() {
    let organization = Organization::new().with_plugin(&endless::PLUGIN).with_fault(
        "Create",
        "contact",
        PluginError::new("disk full").with_code(0x8004_0216),
        1,
    );
    let error = organization.execute(Request::create(Entity::new("loop"))).unwrap_err();
    assert_eq!(error.code(), 0x8004_4182);
    assert!(organization.rows("loop").is_empty());
    let create = || organization.execute(Request::create(Entity::new("contact")));
    assert_eq!(create().unwrap_err().message(), "disk full");
    create().unwrap();
}

#[test]
fn a_custom_message_is_its_plugin() {
    let organization = Organization::new().with_plugin(&double::PLUGIN);
    let output = organization.execute(Request::new("new_Double").with("Number", 21)).unwrap();
    assert_eq!(output, Parameters::new().with("Result", 42));
    let error = organization.execute(Request::new("new_Triple")).unwrap_err();
    assert_eq!(error.code(), codes::MESSAGE_NOT_SUPPORTED);
    let error = organization.execute(Request::new("new_Double")).unwrap_err();
    assert_eq!(error.message(), "message `new_Double` has no parameter `Number`");
}

#[test]
fn queries_filter_follow_lookups_sort_and_page() {
    let account =
        |id, name: &str| Entity::with_id("account", Guid::from_u128(id)).with("name", name);
    let mut organization =
        Organization::new().with_row(account(1, "Alpha")).with_row(account(2, "Beta"));
    for (index, (name, parent)) in
        [("Ann", 1), ("bob", 2), ("Cleo", 1), ("Dan", 9)].iter().enumerate()
    {
        organization = organization.with_row(
            Entity::with_id("contact", Guid::from_u128(index as u128 + 10))
                .with("lastname", *name)
                .with("age", 30 + index as i32)
                .with(
                    "parentcustomerid",
                    EntityReference::new("account", Guid::from_u128(*parent)),
                ),
        );
    }
    let alpha = || column("name").through(["parentcustomerid"]).equals("ALPHA");
    let cases = [
        (alpha(), vec!["Ann", "Cleo"]),
        (!alpha(), vec!["bob", "Dan"]),
        (column("lastname").equals("BOB") | column("age").at_least(33), vec!["bob", "Dan"]),
        (column("lastname").contains("a") & column("age").less_than(33), vec!["Ann"]),
        (column("lastname").is_in(["ann", "dan"]), vec!["Ann", "Dan"]),
        (column("parentcustomerid").equals(Guid::from_u128(2)), vec!["bob"]),
        (column("age").is_null() | column("lastname").begins_with("cl"), vec!["Cleo"]),
    ];
    for (filter, expected) in cases {
        let rows =
            organization.query(&Query::new("contact").filter(filter.clone()).order_by("lastname"));
        let names: Vec<_> = rows.iter().map(|row| row.text("lastname").unwrap().unwrap()).collect();
        assert_eq!(names, expected, "{filter:?}");
    }
    let page = Query::new("contact").columns(["age"]).order_by_descending("age").page_size(3);
    let run =
        organization.execute(Request::retrieve_multiple(page.clone().with_total_count())).unwrap();
    let Some(Parameter::Entities(first)) = run.get("BusinessEntityCollection") else {
        panic!("{run:?}")
    };
    assert_eq!((first.entities.len(), first.more_records, first.total_count), (3, true, Some(4)));
    assert!(!first.entities[0].contains("lastname"));
    let rest = organization.query(&page.page_after(first.paging_cookie.clone().unwrap()));
    assert_eq!(rest.len(), 1);
}
