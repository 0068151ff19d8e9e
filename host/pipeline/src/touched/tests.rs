//! Cases as data: a request, an image or a change, and the capabilities that it needs.

use super::Touched;
use offstage_model::metadata::Catalog;
use offstage_model::{ContextChange, ExecutionContext, Request};
use serde_json::{Value as Json, json};

const ACCOUNT: &str = "0191d8a0-0000-7000-8000-00000000000a";

fn text(touched: &Touched<'_>) -> Vec<String> {
    touched.capabilities.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn request(message: &str, parameters: Json, expected: &[&str]) {
    let request: Request =
        serde_json::from_value(json!({ "message": message, "parameters": parameters }))
            .expect("a request");
    let catalog = Catalog::base();
    assert_eq!(text(&Touched::by_request(&catalog, &request)), expected, "{message} {parameters}");
}

#[track_caller]
fn change(message: &str, change: Json, expected: &[&str]) {
    let change: ContextChange = serde_json::from_value(change).expect("a change");
    let old = json!({"entity": {"table": "account", "attributes": {
        "name": {"s": "A"}, "fax": {"s": "1"}, "creditlimit": {"m": "1"},
    }}});
    let context: ExecutionContext = serde_json::from_value(json!({
        "message_name": message,
        "primary_entity_name": "account",
        "input_parameters": {"Target": old},
    }))
    .expect("a context");
    let catalog = Catalog::base();
    let touched = Touched::by_change(&catalog, &context, &change);
    assert_eq!(text(&touched), expected, "{message} {change:?}");
}

fn entity(attributes: Json, key: Json) -> Json {
    json!({"Target": {"entity": {"table": "account", "key": key, "attributes": attributes}}})
}

fn moniker(table: &str) -> Json {
    json!({"value": {"r": {"t": table, "i": ACCOUNT}}})
}

#[test]
fn rows_are_written_by_verb_and_column() {
    let row = || entity(json!({"name": {"s": "A"}, "accountid": {"g": ACCOUNT}}), json!({}));
    let cells = |verb: &str| {
        // The primary id is the row's name.
        [
            format!("table {verb}:account"),
            format!("table {verb}:account"),
            format!("table {verb}:account.name"),
        ]
    };
    let (create, update) = (cells("create"), cells("update"));
    let list = |parts: &[String]| parts.to_vec();
    let check = |message: &str, expected: Vec<String>| {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        request(message, row(), &expected);
    };
    check("Create", list(&create));
    check("Update", list(&update));
    check("Upsert", [list(&create), list(&update)].concat());
}

#[test]
fn an_alternate_key_reads_its_columns() {
    let by_key = |attributes| entity(attributes, json!({"accountnumber": {"s": "7"}}));
    let key = "table read:account.accountnumber";
    request(
        "Update",
        by_key(json!({"fax": {"s": "1"}})),
        &["table update:account", "table update:account.fax", key],
    );
    request("Delete", by_key(json!({})), &["table delete:account", key]);
    let mut one = by_key(json!({}));
    one["ColumnSet"] = json!({"columns": ["fax"]});
    request("Retrieve", one, &["table read:account", "table read:account.fax", key]);
}

#[test]
fn reads_are_of_columns_or_of_every_column() {
    let target = moniker("account");
    request("Retrieve", json!({"Target": target}), &["table read:account.*"]);
    request(
        "Retrieve",
        json!({"Target": target, "ColumnSet": {"columns": null}}),
        &["table read:account.*"],
    );
    request(
        "Retrieve",
        json!({"Target": target, "ColumnSet": {"columns": []}}),
        &["table read:account"],
    );
    request("Delete", json!({"Target": target}), &["table delete:account"]);
    // Without a query the main operation refuses; until then it is everything of no table.
    request("RetrieveMultiple", json!({}), &["table read:.*"]);
}

#[test]
fn queries_touch_what_they_select_sort_and_ask_about() {
    let condition = |path: &[&str], column: &str| json!({"condition": {"path": path, "column": column, "operator": "equal", "values": []}});
    let query = json!({"Query": {"query": {
        "table": "contact", "columns": ["fullname"],
        "orders": [{"column": "jobtitle"}],
        "filter": {"all": [
            condition(&[], "lastname"),
            {"not": {"any": [condition(&["parentcustomerid_account"], "creditlimit")]}},
            condition(&["nosuchlookup", "x"], "creditlimit"),
        ]},
    }}});
    request(
        "RetrieveMultiple",
        query,
        &[
            "table read:contact",
            "table read:contact.fullname",
            "table read:contact.jobtitle",
            "table read:contact.lastname",
            "table read:contact.parentcustomerid",
            "table read:account.creditlimit",
            // What cannot be followed is asked for by its name, and nothing behind it.
            "table read:contact.nosuchlookup",
        ],
    );
}

#[test]
fn other_messages_are_capabilities_beside_what_they_touch() {
    let task = || json!({"EntityMoniker": moniker("task"), "State": {"value": {"o": 1}}});
    request(
        "SetState",
        task(),
        &["message SetState", "table update:task.statecode", "table update:task.statuscode"],
    );
    request(
        "Assign",
        json!({"Target": moniker("account")}),
        &["message Assign", "table update:account.ownerid"],
    );
    request("WhoAmI", json!({}), &["message WhoAmI"]);
}

/// A link is made or undone by who may read both rows: the answer tells whether they are there.
#[test]
fn a_link_reads_both_rows_and_writes_the_child_or_the_row_between() {
    let link = |name: &str, other: &str| {
        json!({"Target": moniker("account"), "Relationship": {"value": {"s": name}},
        "RelatedEntities": {"references": [
            {"t": other, "i": ACCOUNT}, {"t": other, "i": ACCOUNT},
        ]}})
    };
    let (account, contact) = ("table read:account", "table read:contact");
    let child = "table update:contact.parentcustomerid";
    let one = || link("contact_customer_accounts", "contact");
    request("Associate", one(), &["message Associate", account, contact, child]);
    request("Disassociate", one(), &["message Disassociate", account, contact, child]);
    let many = || link("teammembership_association", "systemuser");
    let user = "table read:systemuser";
    request(
        "Associate",
        many(),
        &["message Associate", account, user, "table create:teammembership"],
    );
    request(
        "Disassociate",
        many(),
        &["message Disassociate", account, user, "table delete:teammembership"],
    );
    let unknown = link("nosuchrelationship", "contact");
    request("Associate", unknown, &["message Associate", account, contact]);
    request("Associate", json!({"Target": moniker("account")}), &["message Associate", account]);
}

#[test]
fn a_transaction_touches_what_its_requests_touch() {
    let inner =
        |message: &str| json!({"message": message, "parameters": {"Target": moniker("account")}});
    let requests = json!({"Requests": {"requests": [inner("Delete"), inner("Assign")]}});
    request(
        "ExecuteTransaction",
        requests,
        &[
            "message ExecuteTransaction",
            "table delete:account",
            "message Assign",
            "table update:account.ownerid",
        ],
    );
}

#[test]
fn state_and_status_settle_each_other_when_they_are_written() {
    let write = |column: &str| json!({"Target": {"entity": {"table": "task", "attributes": {column: {"o": 1}}}}});
    let both = |first: &str, second: &str| {
        let cells = [first, second].map(|column| format!("table update:task.{column}"));
        request("Update", write(first), &["table update:task", &cells[0], &cells[1]]);
    };
    both("statecode", "statuscode");
    both("statuscode", "statecode");
    request(
        "Retrieve",
        json!({"Target": moniker("task"), "ColumnSet": {"columns": ["statecode"]}}),
        &["table read:task", "table read:task.statecode"],
    );
    // A table without states has no second column to settle.
    let member = json!({"Target": {"entity": {
        "table": "teammembership", "attributes": {"statecode": {"o": 1}},
    }}});
    request(
        "Update",
        member,
        &["table update:teammembership", "table update:teammembership.statecode"],
    );
}

#[test]
fn a_change_of_a_column_is_its_message_s_verb() {
    let set =
        || json!({"set_attribute": {"parameter": "Target", "column": "fax", "value": "null"}});
    let remove = || json!({"remove_attribute": {"parameter": "Target", "column": "fax"}});
    for of in [set, remove] {
        change("Create", of(), &["table create:account.fax"]);
        change("Update", of(), &["table update:account.fax"]);
        // What it means under another message nobody can say: the message itself is asked for.
        change("Upsert", of(), &["message Upsert"]);
    }
}

#[test]
fn a_target_in_place_of_another_writes_what_differs() {
    let target = |attributes: Json| json!({"set_input": ["Target", {"entity": {"table": "account", "attributes": attributes}}]});
    // The same name, no fax any more, another credit limit, and a new column.
    let other = json!({"name": {"s": "A"}, "creditlimit": {"m": "2"}, "websiteurl": {"s": "w"}});
    change(
        "Update",
        target(other),
        &[
            "table update:account.fax",
            "table update:account.creditlimit",
            "table update:account.websiteurl",
        ],
    );
    let same = json!({"name": {"s": "A"}, "fax": {"s": "1"}, "creditlimit": {"m": "1"}});
    change("Update", target(same), &[]);
}

#[test]
fn other_input_is_what_it_decides_about() {
    let set = |name: &str, value: Json| json!({"set_input": [name, value]});
    let columns = || json!({"columns": ["fax"]});
    change(
        "Retrieve",
        set("ColumnSet", columns()),
        &["table read:account", "table read:account.fax"],
    );
    change("Retrieve", json!({"remove_input": "ColumnSet"}), &["table read:account.*"]);
    change("Retrieve", set("Other", columns()), &["message Retrieve"]);
    change("Update", json!({"remove_input": "ColumnSet"}), &["message Update"]);
    change(
        "RetrieveMultiple",
        set("Query", json!({"query": {"table": "task", "columns": []}})),
        &["table read:task"],
    );
    let state = ["table update:account.statecode", "table update:account.statuscode"];
    for name in ["State", "Status"] {
        change("SetState", set(name, json!({"value": {"o": 1}})), &state);
        change("Assign", set(name, json!({"value": {"o": 1}})), &["message Assign"]);
    }
    let to = || json!({"value": {"r": {"t": "systemuser", "i": ACCOUNT}}});
    change("Assign", set("Assignee", to()), &["table update:account.ownerid"]);
    change("SetState", set("Assignee", to()), &["message SetState"]);
}

#[test]
fn what_leaves_the_request_as_it_is_touches_nothing() {
    for of in ["set_output", "set_shared_variable"] {
        change("Update", json!({of: ["x", {"value": {"i": 1}}]}), &[]);
    }
    for of in ["remove_output", "remove_shared_variable"] {
        change("Update", json!({of: "x"}), &[]);
    }
}

#[test]
fn an_image_reads_its_columns_or_every_one() {
    let catalog = Catalog::base();
    for (attributes, expected) in [
        (json!([]), vec!["table read:account.*"]),
        (json!(["fax"]), vec!["table read:account", "table read:account.fax"]),
    ] {
        let image = json!({"alias": "i", "kind": "pre", "attributes": attributes});
        let image = serde_json::from_value(image).expect("an image");
        assert_eq!(text(&Touched::by_image(&catalog, "account", &image)), expected);
    }
}
