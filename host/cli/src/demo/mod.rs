//! `offstage demo`: the whole story, told with real processes on temporary directories.
//!
//! A server, a field user with a device, an office that works meanwhile. Every figure that it tells
//! comes from the answers of the commands. Never touches a directory of the user.

mod data;
mod stage;
mod story;

use crate::arguments::Arguments;
use crate::commands::Demo;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, grouped};
use offstage_model::request::{message, parameter};
use offstage_model::{Parameter, ParameterMap, Uuid};
use serde_json::{Value as Json, json};
use stage::{Person, ServerProcess, Watch};
use std::path::{Path, PathBuf};
use std::time::Instant;
use story::Story;

/// The tables of the sample plug-ins.
pub(crate) const TABLES: &str = include_str!("../../../../sample-plugins/tables/sales.json");
/// Where sample plug-ins are when nobody says.
const GUESTS: &str = "target/guests";
/// The sample plug-ins, with what each one does in plain words.
const PLUGINS: &[(&str, &str)] = &[
    ("phone_numbers", "writes phone numbers in one form"),
    ("duplicate_guard", "refuses a second contact with the same e-mail address"),
    ("follow_up_task", "makes a follow-up task for each new deal"),
    ("account_rollup", "keeps each account's number and sum of open deals"),
    ("credit_rule", "refuses deals above an account's credit limit (on the server only)"),
];
/// Requests in one transaction of the seeding.
const SEED_BATCH: usize = 500;

/// The people and things of the story.
struct Cast {
    rosa: Person,
    office: Person,
    server: ServerProcess,
    guests: Vec<PathBuf>,
    folder: PathBuf,
    accounts: u32,
}

/// What the story needs to remember from offline to online.
struct Offline {
    /// The deal that goes well, with the number of its entry.
    deal: Uuid,
    deal_entry: u64,
    entries: u64,
}

/// Runs the demo.
pub(crate) fn run(demo: &Demo, arguments: &Arguments) -> Result<Output, CliError> {
    let started = Instant::now();
    let guests = guests(demo)?;
    let folder = tempfile::Builder::new()
        .prefix("offstage-demo-")
        .tempdir()
        .map_err(|error| CliError::file("make", &std::env::temp_dir(), &error))?;
    let path = folder.path().to_owned();
    if demo.keep {
        drop(folder.keep());
        return tell(demo, arguments, guests, &path, started);
    }
    tell(demo, arguments, guests, &path, started)
}

fn tell(
    demo: &Demo,
    arguments: &Arguments,
    guests: Vec<PathBuf>,
    folder: &Path,
    started: Instant,
) -> Result<Output, CliError> {
    let mut story = Story::new(arguments.json);
    story.tell("Offstage lets people work without a network under the rules of their server, and brings their work back exactly once. This is a day with it, on real processes.");
    story.chapter("A server, with its business rules");
    let server = ServerProcess::start(&folder.join("server"), "Northgate Supplies")?;
    let cast = Cast {
        rosa: Person { name: "rosa", data: folder.join("device") },
        office: Person { name: "office", data: folder.join("server") },
        server,
        guests,
        folder: folder.to_owned(),
        accounts: demo.accounts,
    };
    set_up(&cast, &story)?;
    story.chapter("Rosa takes her data offline");
    take_offline(&cast, &story, arguments.json)?;
    story.chapter("Rosa works without a network, and the rules work with her");
    let offline = work_offline(&cast, &story)?;
    story.chapter("Meanwhile, others work on the server");
    work_meanwhile(&cast, &story)?;
    story.chapter("Rosa is back: what she did is played back on the server");
    let summary = come_back(&cast, &story, &offline, arguments.json)?;
    let seconds = (started.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    story.boxed(&[
        format!("{} things done offline, each one on the server exactly once.", offline.entries),
        "1 was refused by a rule of the server, with its reason; corrected, it went through."
            .into(),
        "1 value was changed on both sides; the later one stands, the other one is kept.".into(),
        "No row twice, nothing silently overwritten, nothing lost: both sides agree.".into(),
        format!("All of it took {seconds:.1} seconds."),
    ]);
    if demo.keep {
        story.tell(&format!("The data directories are in {}.", folder.display()));
    }
    Ok(Output::new(json!({ "ok": true, "seconds": seconds, "summary": summary })))
}

/// The sample plug-ins' files.
fn guests(demo: &Demo) -> Result<Vec<PathBuf>, CliError> {
    let folder = match &demo.guests {
        Some(folder) => folder.0.clone(),
        None => std::path::absolute(GUESTS)
            .map_err(|e| CliError::file("find", Path::new(GUESTS), &e))?,
    };
    let files: Vec<PathBuf> =
        PLUGINS.iter().map(|(name, _)| folder.join(format!("{name}.wasm"))).collect();
    match files.iter().find(|file| !file.exists()) {
        None => Ok(files),
        Some(missing) => Err(CliError::new(
            Exit::NotFound,
            format!("The sample plug-in '{}' is missing.", missing.display()),
        )
        .hint("Build the sample plug-ins with `cargo xtask guests`, or name their folder with `--guests DIR`.")),
    }
}

fn set_up(cast: &Cast, story: &Story) -> Result<(), CliError> {
    let office = &cast.office;
    story.tell(&format!(
        "A server process listens on {}. It gets tables for sales, and a user: Rosa, who sells in the field.",
        cast.server.url
    ));
    let tables = cast.folder.join("sales.json");
    std::fs::write(&tables, TABLES).map_err(|e| CliError::file("write", &tables, &e))?;
    office.ask(&["table", "add", text(&tables)])?;
    let rosa = office.ask(&["user", "add", "Rosa Alvarez"])?;
    let owner = Uuid::parse_str(rosa["id"].as_str().unwrap_or_default()).unwrap_or_default();
    let credentials = cast.folder.join("rosa.json");
    std::fs::write(&credentials, rosa.to_string())
        .map_err(|e| CliError::file("write", &credentials, &e))?;
    let rows = data::requests(cast.accounts, owner);
    let count = rows.len() as u64;
    seed(cast, rows)?;
    story.result(&format!(
        "{} rows: {} customers, {} people who work there, {} open deals.",
        grouped(count),
        grouped(cast.accounts.into()),
        grouped((cast.accounts * data::CONTACTS).into()),
        grouped((cast.accounts * data::OPPORTUNITIES).into()),
    ));
    story.tell("Business rules are plug-ins: small sandboxed WebAssembly programs. Nothing runs that the administrator did not allow by its content, so each one is allowed first, then added:");
    for (file, (_, what)) in cast.guests.iter().zip(PLUGINS) {
        allow(office, file)?;
        let added = office.ask(&["plugin", "add", text(file)])?;
        let package = added["package"]["id"].as_str().unwrap_or_default();
        story.tell(&format!("- {package} {what}"));
    }
    Ok(())
}

/// Fills the server, some hundred rows per transaction.
fn seed(cast: &Cast, rows: Vec<offstage_model::Request>) -> Result<(), CliError> {
    let file = cast.folder.join("seed.json");
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let batch: Vec<_> = rows.by_ref().take(SEED_BATCH).collect();
        let parameters =
            ParameterMap::from([(parameter::REQUESTS.to_owned(), Parameter::Requests(batch))]);
        std::fs::write(&file, json!(parameters).to_string())
            .map_err(|error| CliError::file("write", &file, &error))?;
        let command = ["request", message::EXECUTE_TRANSACTION, "--parameters", text(&file)];
        cast.office.ask(&command)?;
    }
    Ok(())
}

/// Allows a package by its content, with what it requests.
fn allow(person: &Person, file: &Path) -> Result<(), CliError> {
    let reason = ["--reason", "offstage demo", "--grant", "requested"];
    person.ask(&[&["policy", "trust", "pin", text(file)][..], &reason].concat())?;
    Ok(())
}

fn take_offline(cast: &Cast, story: &Story, silent: bool) -> Result<(), CliError> {
    let rosa = &cast.rosa;
    let path = cast.folder.join("rosa.json");
    let credentials: Json = std::fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let secret = |name: &str| credentials[name].as_str().unwrap_or_default().to_owned();
    story.tell("Rosa's laptop becomes a device of the server. Her secret is used once; then the laptop has a key of its own. Her laptop decides for itself which rules it lets run: the same five.");
    story.typed(rosa, &["connect", &cast.server.url, "--client-id", "…", "--client-secret", "…"]);
    rosa.ask(&[
        "connect",
        &cast.server.url,
        "--name",
        "Rosa's laptop",
        "--client-id",
        &secret("clientId"),
        "--client-secret",
        &secret("clientSecret"),
    ])?;
    for file in &cast.guests {
        allow(rosa, file)?;
    }
    story.typed(rosa, &["go-offline"]);
    let watch = if silent { Watch::No } else { Watch::Yes };
    let report = rosa.ask_watching(&["go-offline"], watch)?;
    story.result(&format!(
        "{} rows of hers are on the laptop now, with the tables and the rules. The network may go.",
        grouped(report["rows"].as_u64().unwrap_or_default())
    ));
    Ok(())
}

fn work_offline(cast: &Cast, story: &Story) -> Result<Offline, CliError> {
    let rosa = &cast.rosa;
    let contact = data::id("contact", 0).to_string();
    let (first, last) = data::name(0);
    story.tell(&format!("She types {first} {last}'s new phone number the way people do."));
    story.show(rosa, &["update", "contact", &contact, "mobilephone=(206) 555-0143"])?;
    let row = rosa.ask(&["get", "contact", &contact])?;
    story.result(&format!("A rule stored it as {}.", attribute(&row, "mobilephone")));

    let account = data::id("account", 0);
    let company = data::company(0);
    let parent = format!("parentaccountid=account:{account}");
    story.tell(&format!("She wins a new deal with {company}."));
    let deal =
        ["create", "opportunity", "name=Pumps for the new hall", "estimatedvalue=12000", &parent];
    story.typed(rosa, &deal);
    let deal = row_id(&rosa.ask(&deal)?);
    let deal_entry = newest_entry(rosa)?;
    let task = only_task(rosa, "Follow up: Pumps for the new hall")?;
    let row = rosa.ask(&["get", "account", &account.to_string()])?;
    story.result(&format!("A rule made the task \"{}\".", attribute(&task, "subject")));
    story.result(&format!(
        "Another one counted: {company} has {} open deals worth {} now.",
        attribute(&row, "openopportunities"),
        amount(&row, "openvalue")
    ));

    story.tell("She adds a person whose e-mail address somebody else has already.");
    let address = format!("emailaddress1={}", data::email(4));
    let exit = story.show(rosa, &["create", "contact", "lastname=Alvarez", &address])?;
    expect(exit == i32::from(Exit::Refused.number()), "the duplicate contact was not refused")?;
    story.result("Refused on the spot, without a network: no bad data to clean up later.");

    let second = data::id("account", 1);
    story.tell(&format!(
        "She promises {} a large delivery; ${} of credit would cover it.",
        data::company(1),
        grouped(data::CREDIT_LIMIT.unsigned_abs())
    ));
    let parent = format!("parentaccountid=account:{second}");
    story.show(
        rosa,
        &["create", "opportunity", "name=Large delivery", "estimatedvalue=48000", &parent],
    )?;
    let other = data::id("contact", 7).to_string();
    let (first, last) = data::name(7);
    story.tell(&format!("And she notes that {first} {last} was promoted."));
    story.show(rosa, &["update", "contact", &other, "jobtitle=Head of Purchasing"])?;
    let status = rosa.ask(&["status"])?;
    let entries = status["journal"]["pending"].as_u64().unwrap_or_default();
    story
        .result(&format!("{entries} things are in her journal, each with all that the rules did."));
    Ok(Offline { deal, deal_entry, entries })
}

fn work_meanwhile(cast: &Cast, story: &Story) -> Result<(), CliError> {
    let office = &cast.office;
    let contact = data::id("contact", 7).to_string();
    let (first, last) = data::name(7);
    story.tell(&format!(
        "The office writes another job title, and a department, into the same person, {first} {last}."
    ));
    story.show(
        office,
        &["update", "contact", &contact, "jobtitle=Chief Buyer", "department=Purchasing"],
    )?;
    story.tell(&format!("It adds a deal of its own with {}.", data::company(0)));
    let parent = format!("parentaccountid=account:{}", data::id("account", 0));
    story.show(
        office,
        &["create", "opportunity", "name=Service contract", "estimatedvalue=3000", &parent],
    )?;
    story.tell(&format!("And it lowers the credit limit of {}.", data::company(1)));
    let account = data::id("account", 1).to_string();
    story.show(office, &["update", "account", &account, "creditlimit=25000"])?;
    story.tell("Rosa knows nothing of all this.");
    Ok(())
}

fn come_back(
    cast: &Cast,
    story: &Story,
    offline: &Offline,
    silent: bool,
) -> Result<Json, CliError> {
    let rosa = &cast.rosa;
    story.typed(rosa, &["go-online"]);
    let watch = if silent { Watch::No } else { Watch::Yes };
    let report = rosa.ask_watching(&["go-online"], watch)?;
    let applied = report["counts"]["applied"].as_u64().unwrap_or_default();
    story.result(&format!(
        "{applied} of {} entries are on the server. Its rules ran a second time, with authority.",
        offline.entries
    ));
    let tasks = only_task(&cast.office, "Follow up: Pumps for the new hall");
    expect(tasks.is_ok(), "the follow-up task is not there exactly once")?;
    story.tell("The rule that makes follow-up tasks ran twice: on the laptop and on the server. There is one task. This is what became of what the two runs did for the new deal:");
    story.show(rosa, &["reconcile", "show", &offline.deal_entry.to_string()])?;
    let account = data::id("account", 0).to_string();
    let row = cast.office.ask(&["get", "account", &account])?;
    story.result(&format!(
        "The account's sum counts the office's deal too: {} open deals worth {}.",
        attribute(&row, "openopportunities"),
        amount(&row, "openvalue")
    ));

    story.tell("The job title was changed on both sides. The later value stands, and the other one is not lost; the department, which only the office wrote, is simply there:");
    story.show(rosa, &["conflicts", "list"])?;
    let conflicts = rosa.ask(&["conflicts", "list"])?;
    expect(
        conflicts["conflicts"].as_array().map(Vec::len) == Some(1),
        "there is not one conflict",
    )?;
    let contact = data::id("contact", 7).to_string();
    let row = cast.office.ask(&["get", "contact", &contact])?;
    let stands = attribute(&row, "jobtitle") == "Chief Buyer";
    expect(stands && attribute(&row, "department") == "Purchasing", "a value was overwritten")?;
    let one_refused = report["attention"].as_array().map(Vec::len) == Some(1);
    expect(one_refused && applied + 1 == offline.entries, "other entries were refused")?;

    let refused = report["attention"][0].clone();
    let entry = refused["entry"].as_u64();
    let entry = entry.ok_or_else(|| wrong("no entry was refused by the credit rule"))?;
    story.tell("One entry was refused, because of the limit that Rosa could not know of. Nothing else waited for it, and what she typed is kept:");
    story.show(rosa, &["journal", "list", "--attention"])?;
    story.tell("She calls the customer, makes it smaller, and tries again.");
    let number = entry.to_string();
    let exit = story.show(rosa, &["journal", "edit", &number, "estimatedvalue=20000"])?;
    expect(exit == 0, "the corrected entry was not applied")?;
    only_task(&cast.office, "Follow up: Large delivery")?;
    story.tell("At last the laptop and the server compare what they hold, row by row.");
    rosa.ask(&["sync"])?;
    let exit = story.show(rosa, &["verify"])?;
    expect(exit == 0, "the two sides do not hold the same")?;
    Ok(json!({
        "entries": offline.entries, "applied": applied, "deal": offline.deal,
        "refused": refused["error"]["message"],
    }))
}

/// The one task with this subject.
fn only_task(person: &Person, subject: &str) -> Result<Json, CliError> {
    let filter = format!("subject eq '{subject}'");
    let found = person.ask(&["query", "task", "--filter", &filter])?;
    match found["rows"].as_array().map(Vec::as_slice) {
        Some([only]) => Ok(only.clone()),
        rows => Err(wrong(&format!(
            "there are {} tasks '{subject}' and there must be one",
            rows.map_or(0, <[Json]>::len)
        ))),
    }
}

fn newest_entry(person: &Person) -> Result<u64, CliError> {
    let journal = person.ask(&["journal", "list"])?;
    let entries = journal["entries"].as_array();
    entries
        .and_then(|e| e.last())
        .and_then(|e| e["entry"].as_u64())
        .ok_or_else(|| wrong("the journal is empty"))
}

fn attribute(row: &Json, column: &str) -> String {
    match &row["attributes"][column] {
        Json::String(text) => text.clone(),
        Json::Null => "nothing".into(),
        other => other.to_string(),
    }
}

/// A column with whole dollars, as people write them.
fn amount(row: &Json, column: &str) -> String {
    let text = attribute(row, column);
    text.parse().map_or(text, |whole| format!("${}", grouped(whole)))
}

fn row_id(answer: &Json) -> Uuid {
    Uuid::parse_str(answer["id"].as_str().unwrap_or_default()).unwrap_or_default()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// The demo found the program doing something else than it tells.
fn wrong(what: &str) -> CliError {
    CliError::new(Exit::Internal, format!("The demo went wrong: {what}."))
        .hint("Please report it with the output above; `--keep` keeps the data directories.")
}

fn expect(holds: bool, otherwise: &str) -> Result<(), CliError> {
    if holds { Ok(()) } else { Err(wrong(otherwise)) }
}
