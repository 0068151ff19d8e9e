//! The sample plug-ins in C, JavaScript and Python, built as components, through both runs.
//!
//! One test per language: a test is a process, and each would compile its interpreter anew. Needs
//! `cargo xtask guests --all`.

mod support;

use offstage_model::journal::{EntryState, Verdict};
use offstage_model::{Entity, Fault, Query, Request, Response, Timestamp, Uuid, Value};
use offstage_pipeline::{Pipeline, Played};
use offstage_store::TraceFilter;
use support::{World, guest};

const ACCOUNT: Uuid = Uuid::from_u128(0xacc);
const CONTACT: Uuid = Uuid::from_u128(0xc0);
const DEAL: Uuid = Uuid::from_u128(0xdea1);

/// A world with the sales tables and one package.
fn world(sample: &str) -> World {
    let mut world = World::new();
    let tables = include_str!("../../../sample-plugins/tables/sales.json");
    let tables = serde_json::from_str(tables).expect("the table file is valid");
    world.server.define(&world.caller, tables).expect("the tables are defined");
    let bytes = guest(&sample.replace('-', "_"));
    let registered = world.server.register_package(&world.caller, &bytes);
    let registered = registered.unwrap_or_else(|fault| panic!("{sample}: {fault}"));
    assert!(!registered.steps.is_empty(), "{sample} has no steps");
    world.sync();
    world
}

fn rows(pipeline: &Pipeline, table: &str) -> Vec<Entity> {
    let mut tx = pipeline.store().read().expect("a snapshot");
    let scope = offstage_store::Scope { user: Uuid::nil() };
    tx.query(&Query::all(table), &scope).expect("rows").entities
}

fn row(pipeline: &Pipeline, table: &str, id: Uuid) -> Entity {
    let found = rows(pipeline, table).into_iter().find(|row| row.id == Some(id));
    found.unwrap_or_else(|| panic!("{table} {id} is not there"))
}

/// What the plug-ins of one side wrote into the trace, sorted.
fn traced(pipeline: &Pipeline) -> Vec<String> {
    let mut tx = pipeline.store().read().expect("a snapshot");
    let traces = tx.traces(&TraceFilter::default(), 1_000).expect("traces");
    let mut lines: Vec<String> =
        traces.into_iter().map(|row| row.trace).filter(|trace| !trace.is_empty()).collect();
    lines.sort();
    lines
}

fn on_device(world: &World, request: Request) -> Response {
    world.on_device(request).unwrap_or_else(|fault| panic!("{fault}\n{:#?}", traced(&world.device)))
}

fn refused(result: Result<Response, Fault>, code: &str, text: &str) {
    let fault = result.expect_err(text);
    assert_eq!(fault.code_text(), code, "{fault}");
    assert!(fault.message.contains(text), "{fault}");
}

/// Plays all entries back; each must be applied.
fn play(world: &mut World) -> Vec<Played> {
    let outcomes = world.play();
    let traces = traced(&world.server);
    outcomes
        .into_iter()
        .map(|(state, result)| {
            let played = result.unwrap_or_else(|fault| panic!("{fault}\n{traces:#?}"));
            assert_eq!(state, EntryState::Applied, "{:#?}", played.report);
            played
        })
        .collect()
}

#[test]
fn c_customer_number() {
    let mut world = world("customer-number");
    let account = |id: u128, number: &str| {
        Entity::with_id("account", Uuid::from_u128(id))
            .with("name", Value::text("Fabrikam"))
            .with("accountnumber", Value::text(number))
    };
    let number = |pipeline: &Pipeline| {
        row(pipeline, "account", ACCOUNT).text("accountnumber").map(str::to_owned)
    };
    on_device(&world, Request::create(account(0xacc, "kd 1234567")));
    assert_eq!(number(&world.device).as_deref(), Some("KD-12345674"), "with its check digit");

    let mistyped = world.on_device(Request::create(account(1, "KD-12345675")));
    refused(mistyped, "0x80040265", "its check digit would be 4");
    let taken = world.on_device(Request::create(account(2, "KD-1234 567 4")));
    refused(taken, "0x80040265", "KD-12345674 belongs to Fabrikam already");
    let wrong = world.on_device(Request::create(account(3, "12?")));
    refused(wrong, "0x80040265", "\"12?\" is no customer number");
    assert_eq!(rows(&world.device, "account").len(), 1, "nothing is left of what was refused");
    // Its own number is not another account's; a shorter one gets its check digit.
    on_device(&world, Request::update(account(0xacc, "KD-1234-5674")));
    on_device(&world, Request::update(account(0xacc, "7992739")));
    assert_eq!(number(&world.device).as_deref(), Some("79927398"));

    let played = play(&mut world);
    assert_eq!(played[0].report.count(Verdict::Paired), 1, "{:#?}", played[0].report);
    assert_eq!(number(&world.server).as_deref(), Some("79927398"));
    assert!(traced(&world.server).iter().any(|line| line.contains("added the check digit 4")));
}

#[test]
fn javascript_deal_score() {
    let mut world = world("deal-score");
    let account = Entity::with_id("account", ACCOUNT)
        .with("name", Value::text("Fabrikam"))
        .with("revenue", Value::Money(2_000_000.into()));
    world.on_server(Request::create(account)).expect("the account is made");
    world.sync();
    let deal = Entity::with_id("opportunity", DEAL)
        .with("name", Value::text("100 chairs"))
        .with("estimatedvalue", Value::Money("99999.99".parse().expect("a number")))
        .with("estimatedclosedate", Value::DateTime(Timestamp(1_800_000_000_000)))
        .with("parentaccountid", Value::reference("account", ACCOUNT));
    on_device(&world, Request::create(deal));
    let score =
        |pipeline: &Pipeline| row(pipeline, "opportunity", DEAL).value("closeprobability").clone();
    assert_eq!(score(&world.device), Value::Integer(70));
    let offline = rows(&world.device, "task");
    assert_eq!(offline.len(), 1, "a hot deal gets a call");
    assert_eq!(offline[0].text("subject"), Some("Call about 100 chairs"));

    // The pre-image has what the update does not say.
    let larger =
        Entity::with_id("opportunity", DEAL).with("estimatedvalue", Value::Money(250_000.into()));
    on_device(&world, Request::update(larger));
    assert_eq!(score(&world.device), Value::Integer(60));
    let typed = Entity::with_id("opportunity", Uuid::from_u128(2))
        .with("name", Value::text("50 desks"))
        .with("closeprobability", Value::Integer(1));
    on_device(&world, Request::create(typed));

    let played = play(&mut world);
    assert!(played[0].report.count(Verdict::Paired) >= 2, "{:#?}", played[0].report);
    assert_eq!(score(&world.server), Value::Integer(60));
    let server = rows(&world.server, "task");
    assert_eq!(server.len(), 1, "two runs, one call");
    assert_eq!(server[0].id, offline[0].id);
    assert_eq!(server[0].value("scheduledend"), offline[0].value("scheduledend"));
    assert_eq!(traced(&world.device), traced(&world.server), "both runs say the same");

    // A request of the plug-in that fails comes back with the platform's code.
    let lost = Entity::with_id("opportunity", Uuid::from_u128(3))
        .with("name", Value::text("lost"))
        .with("parentaccountid", Value::reference("account", Uuid::from_u128(0xdead)));
    let fault = world.on_server(Request::create(lost)).expect_err("there is no such account");
    assert_eq!(fault.code_text(), "0x80040217", "{fault}");
}

#[test]
fn python_postal_codes() {
    let mut world = world("postal-codes");
    let contact = |code: &str, country: &str| {
        Entity::with_id("contact", CONTACT)
            .with("lastname", Value::text("Smith"))
            .with("address1_postalcode", Value::text(code))
            .with("address1_country", Value::text(country))
    };
    let code = |pipeline: &Pipeline| {
        row(pipeline, "contact", CONTACT).text("address1_postalcode").map(str::to_owned)
    };
    on_device(&world, Request::create(contact("sw1a1aa", "United Kingdom")));
    assert_eq!(code(&world.device).as_deref(), Some("SW1A 1AA"));
    // The pre-image has the country.
    let moved =
        Entity::with_id("contact", CONTACT).with("address1_postalcode", Value::text("ec1a1bb"));
    on_device(&world, Request::update(moved));
    assert_eq!(code(&world.device).as_deref(), Some("EC1A 1BB"));
    let wrong = world.on_device(Request::update(contact("12", "DE")));
    refused(wrong, "0x80040265", "\"12\" is no postal code of DE: write it like 10115.");
    assert_eq!(code(&world.device).as_deref(), Some("EC1A 1BB"), "nothing of it is kept");

    let played = play(&mut world);
    assert_eq!(played.len(), 2);
    for played in &played {
        assert_eq!(played.report.count(Verdict::Paired), 1, "{:#?}", played.report);
    }
    assert_eq!(code(&world.server).as_deref(), Some("EC1A 1BB"));
    let server = traced(&world.server);
    assert!(server[0].contains("ec1a1bb -> EC1A 1BB (GB)"), "{server:?}");
}
