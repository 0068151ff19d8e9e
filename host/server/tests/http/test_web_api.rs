//! The W cases of `cases.md` that this version has, one test each, in their order.

use crate::world::{ADMINISTRATOR, BUSINESS_UNIT, ORGANIZATION, World};
use offstage_model::Uuid;
use serde_json::json;

#[test]
fn w1_a_post_answers_204_with_the_url_of_the_row() {
    let world = World::dev();
    let reply = world.api.post("accounts", json!({"name": "A"})).expect(204);
    assert_eq!(reply.text, "");
    let url = reply.header("odata-entityid").to_owned();
    assert!(url.starts_with(&format!("{}/api/data/v9.2/accounts(", world.api.url)), "{url}");
    assert!(url.ends_with(')'));
    assert_eq!(reply.header("location"), url);
    assert_eq!(reply.header("odata-version"), "4.0");
    assert_eq!(world.api.get(&url).expect(200).json()["name"], "A");
}

#[test]
fn w2_return_representation_answers_the_row() {
    let world = World::dev();
    let api = world.api.with("prefer", "return=representation");
    let created = api.post("accounts", json!({"name": "A", "revenue": 12.5})).expect(201);
    assert_eq!(created.header("preference-applied"), "return=representation");
    let row = created.json();
    assert_eq!((&row["name"], &row["revenue"]), (&json!("A"), &json!(12.5)));
    assert!(row["@odata.etag"].as_str().unwrap().starts_with("W/\""));
    assert!(row["@odata.context"].as_str().unwrap().ends_with("$metadata#accounts/$entity"));
    assert_eq!(row["description"], json!(null), "without $select all columns come");
    assert_eq!(row["statecode"], 0);
    let path = format!("accounts({})?$select=name", row["accountid"].as_str().unwrap());
    let changed = api.patch(&path, json!({"name": "B"})).expect(200).json();
    assert_eq!(changed["name"], "B");
    assert!(changed.get("revenue").is_none());
}

#[test]
fn w3_preconditions_of_writes() {
    let world = World::dev();
    let api = &world.api;
    let new = |n: u128| format!("accounts({})", Uuid::from_u128(0xFFFF_0000 + n));

    let missing = api.with("if-match", "*").patch(&new(1), json!({"name": "A"})).expect(404);
    assert!(missing.json()["error"]["message"].as_str().unwrap().contains("Does Not Exist"));
    api.patch(&new(1), json!({"name": "A"})).expect(204);
    api.with("if-match", "*").patch(&new(1), json!({"name": "B"})).expect(204);
    let exists = api.with("if-none-match", "*").patch(&new(1), json!({"name": "C"})).expect(412);
    assert_eq!(
        exists.json()["error"]["message"],
        "A record with matching key values already exists."
    );
    api.with("if-none-match", "*").patch(&new(2), json!({"name": "C"})).expect(204);
    api.with("if-none-match", "null").patch(&new(1), json!({"name": "D"})).expect(204);
    api.with("if-match", "null").patch(&new(3), json!({"name": "D"})).expect(204);

    let stale = api.get(&new(1)).expect(200).header("etag").to_owned();
    api.with("if-match", &stale).patch(&new(1), json!({"name": "E"})).expect(204);
    let refused = api.with("if-match", &stale).patch(&new(1), json!({"name": "F"})).expect(412);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("RowVersion"));
    api.with("if-match", &stale).delete(&new(1)).expect(412);
    api.with("if-match", "W/\"of another server\"").delete(&new(1)).expect(412);
    let current = api.get(&new(1)).expect(200).header("etag").to_owned();
    api.with("if-match", &current).delete(&new(1)).expect(204);
}

#[test]
fn w4_a_current_tag_answers_304_but_not_with_annotations() {
    let world = World::dev();
    let path = format!("accounts({})", world.api.create("accounts", json!({"name": "A"})));
    let tag = world.api.get(&path).expect(200).header("etag").to_owned();
    let api = world.api.with("if-none-match", &tag);
    assert_eq!(api.get(&path).expect(304).text, "");
    api.with("prefer", "odata.include-annotations=\"*\"").get(&path).expect(200);
    world.api.patch(&path, json!({"name": "B"})).expect(204);
    api.get(&path).expect(200);
}

#[test]
fn w5_texts_that_clients_match() {
    let world = World::dev();
    let reply = world.api.post("accounts", json!({"foo_bar": 1})).expect(400);
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("Invalid property 'foo_bar' was found in entity"), "{message}");
    let id = Uuid::from_u128(99);
    let reply = world.api.delete(&format!("accounts({id})")).expect(404).json();
    assert_eq!(reply["error"]["message"], format!("account With Id = {id} Does Not Exist"));
    assert_eq!(reply["error"]["code"], "0x80040217");
}

#[test]
fn w6_alternate_keys() {
    let world = World::dev();
    let api = &world.api;
    let key = "accounts(accountnumber='O''Hara-1')";
    let encoded = "accounts(accountnumber=%27O%27%27Hara-1%27)";
    api.get(key).expect(404);
    let created = api.patch(key, json!({"name": "A"})).expect(204);
    assert!(!created.header("odata-entityid").contains("accountnumber"));
    assert_eq!(api.get(encoded).expect(200).json()["accountnumber"], "O'Hara-1");
    api.patch(encoded, json!({"name": "B"})).expect(204);
    assert_eq!(api.get("accounts/$count").expect(200).text, "1");
    assert_eq!(api.get(key).expect(200).json()["name"], "B");
    api.with("if-match", "*").patch("accounts(accountnumber='none')", json!({})).expect(404);
    api.delete(key).expect(204);
    api.delete(key).expect(404);
}

#[test]
fn w7_next_links_keep_origin_query_and_page_size() {
    let world = World::dev();
    for n in 0..5 {
        world.api.create("accounts", json!({"name": format!("A{n}")}));
    }
    let query = "accounts?%24select=name&$orderby=name+desc&$filter=contains(name,'A')";
    let first = world.api.with("prefer", "odata.maxpagesize=2").get(query).expect(200);
    assert_eq!(first.values("name"), ["A4", "A3"]);
    let mut link = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("{}/api/data/v9.2/accounts?", world.api.url)), "{link}");
    let mut names = Vec::new();
    loop {
        let page = world.api.get(&link).expect(200);
        assert!(page.values("name").len() <= 2);
        names.extend(page.values("name"));
        match page.json()["@odata.nextLink"].as_str() {
            Some(next) => link = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["A2", "A1", "A0"]);
}

#[test]
fn w12_who_am_i_in_three_spellings() {
    let world = World::dev();
    for path in ["WhoAmI", "WhoAmI()", "WhoAmI?"] {
        let json = world.api.get(path).expect(200).json();
        assert_eq!(json["UserId"], ADMINISTRATOR.to_string());
        assert_eq!(json["OrganizationId"], ORGANIZATION.to_string());
        assert_eq!(json["BusinessUnitId"], BUSINESS_UNIT.to_string());
    }
}

#[test]
fn w13_to_w15_metadata() {
    let world = World::dev();
    let definitions = "EntityDefinitions?%24select=LogicalName,EntitySetName,PrimaryIdAttribute\
                       &%24filter=LogicalName+eq+%27account%27";
    let json = world.api.get(definitions).expect(200).json();
    assert_eq!(json["value"].as_array().unwrap().len(), 1);
    assert_eq!(json["value"][0]["EntitySetName"], "accounts");
    assert_eq!(json["value"][0]["PrimaryIdAttribute"], "accountid");
    let none = world
        .api
        .get("EntityDefinitions?$filter=LogicalName eq 'nosuch'".replace(' ', "+").as_str());
    assert_eq!(none.expect(200).json()["value"], json!([]));
    let picklists = world.api.get(
        "EntityDefinitions(LogicalName='account')/Attributes/\
         Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName\
         &$expand=OptionSet($select=Options)",
    );
    let json = picklists.expect(200).json();
    let industry =
        json["value"].as_array().unwrap().iter().find(|a| a["LogicalName"] == "industrycode");
    let label = &industry.unwrap()["OptionSet"]["Options"][0]["Label"]["UserLocalizedLabel"];
    assert_eq!(label["Label"], "Accounting");
    world.api.get("EntityDefinitions(LogicalName='nosuch')").expect(404);
    let one = world.api.get("EntityDefinitions(LogicalName='task')").expect(200).json();
    assert_eq!(one["PrimaryIdAttribute"], "activityid");
    let xml = world.api.get("$metadata").expect(200);
    assert_eq!(xml.header("content-type"), "application/xml");
    assert!(xml.text.contains(r#"<EntitySet Name="accounts" EntityType="mscrm.account"/>"#));
    let sets = world.api.get("").expect(200).json();
    assert!(sets["value"].as_array().unwrap().iter().any(|set| set["name"] == "contacts"));
}

#[test]
fn w17_options_with_limits() {
    let world = World::dev();
    for n in 0..3 {
        world.api.create("accounts", json!({"name": format!("A{n}")}));
    }
    assert_eq!(world.api.get("accounts?$top=2").expect(200).values("name").len(), 2);
    let both = world.api.with("prefer", "odata.maxpagesize=1").get("accounts?$top=2").expect(200);
    assert!(both.json()["@odata.nextLink"].is_string(), "$top is ignored with maxpagesize");
    let counted = world.api.get("accounts?$count=true&$top=1").expect(200).json();
    assert_eq!(counted["@odata.count"], 3);
    world.api.get("accounts?$skip=1").expect(400);
}

#[test]
fn every_type_comes_back_as_it_was_written() {
    let world = World::dev();
    let account = world.api.create("accounts", json!({"name": "A"}));
    let written = json!({
        "lastname": "Ünal ☃", "birthdate": "1990-02-28", "numberofchildren": 2,
        "creditlimit": 1234.5, "preferredcontactmethods": "3,1", "donotphone": true,
        "gendercode": 2, "entityimage": "AAEC",
        "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
    });
    let id = world.api.create("contacts", written);
    let select = "lastname,birthdate,numberofchildren,creditlimit,preferredcontactmethods,\
                  donotphone,gendercode,entityimage,_parentcustomerid_value";
    let all = world.api.with("prefer", "odata.include-annotations=\"*\"");
    let row = all.get(&format!("contacts({id})?$select={select}")).expect(200).json();
    let expected = [
        ("lastname", json!("Ünal ☃")),
        ("birthdate", json!("1990-02-28")),
        ("numberofchildren", json!(2)),
        ("creditlimit", json!(1234.5)),
        ("preferredcontactmethods", json!("1,3")),
        ("donotphone", json!(true)),
        ("gendercode", json!(2)),
        ("entityimage", json!("AAEC")),
        ("_parentcustomerid_value", json!(account)),
        ("_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname", json!("account")),
        ("gendercode@OData.Community.Display.V1.FormattedValue", json!("Female")),
    ];
    for (property, value) in expected {
        assert_eq!(row[property], value, "{property}");
    }
    let plain = world.api.get(&format!("contacts({id})")).expect(200).json();
    let annotated = plain.as_object().unwrap().keys().any(|key| key.contains("FormattedValue"));
    assert!(!annotated, "annotations come only when they are asked for");
}

#[test]
fn single_columns_are_read_set_and_cleared() {
    let world = World::dev();
    let row = format!("accounts({})", world.api.create("accounts", json!({"name": "A"})));
    let name = format!("{row}/name");
    assert_eq!(world.api.get(&name).expect(200).json()["value"], "A");
    assert_eq!(world.api.get(&format!("{name}/$value")).expect(200).text, "A");
    world.api.send("PUT", &name, r#"{"value":"B"}"#).expect(204);
    assert_eq!(world.api.get(&name).expect(200).json()["value"], "B");
    world.api.delete(&name).expect(204);
    assert_eq!(world.api.get(&name).expect(204).text, "");
    world.api.get(&format!("{row}/nosuch")).expect(404);
    world.api.get(&format!("{row}/primarycontactid")).expect(501);
}

#[test]
fn filters_reach_the_pipeline() {
    let world = World::dev();
    let parent = world.api.create("accounts", json!({"name": "Parent", "numberofemployees": 5}));
    world.api.create(
        "contacts",
        json!({"lastname": "Child", "parentcustomerid_account@odata.bind": format!("/accounts({parent})")}),
    );
    let cases = [
        ("accounts?$filter=name eq 'parent'", 1),
        ("accounts?$filter=numberofemployees gt 5", 0),
        ("accounts?$filter=startswith(name,'Par') and not(numberofemployees lt 5)", 1),
        (&format!("contacts?$filter=_parentcustomerid_value eq {parent}"), 1),
        ("contacts?$filter=parentcustomerid_account/name eq 'Parent'", 1),
        ("contacts?$filter=lastname in ('Child','x')", 1),
    ];
    for (query, rows) in cases {
        let reply = world.api.get(&query.replace(' ', "%20")).expect(200);
        assert_eq!(reply.json()["value"].as_array().unwrap().len(), rows, "{query}");
    }
    let counted = "contacts/$count?$filter=lastname%20eq%20'Child'";
    assert_eq!(world.api.get(counted).expect(200).text, "1");
}

#[test]
fn execute_speaks_model_json_and_does_a_write_once() {
    let world = World::dev();
    let request = json!({"message": "Create", "parameters": {"Target": {"entity": {
        "table": "account", "attributes": {"name": {"s": "Once"}},
    }}}});
    let operation = Uuid::from_u128(0x0123_4567);
    let api = world.api.with("x-offstage-operation-id", &operation.to_string());
    let first = api.post("/offstage/v1/execute", request.clone()).expect(200).json();
    let second = api.post("/offstage/v1/execute", request).expect(200).json();
    assert_eq!(first, second);
    assert_eq!(world.api.get("accounts/$count").expect(200).text, "1");
}
