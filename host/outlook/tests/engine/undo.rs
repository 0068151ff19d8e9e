//! Undoing a run, through the public door: values, and whole items and records.

use super::support::{Client, Server, text, words};
use offstage_model::{Entity, Value};
use offstage_outlook::{ItemKind, MailStore, Property as P};

fn contact(first: &str, last: &str) -> Entity {
    Entity::new("contact").with("firstname", Value::text(first)).with("lastname", Value::text(last))
}

#[test]
fn a_run_is_undone_as_far_as_nobody_changed_it_since() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let id = server.create(contact("Ann", "Lee").with("jobtitle", Value::text("CTO")));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    client.edit(&item, P::Nickname, text("A"));
    server.update(Entity::with_id("contact", id).with("jobtitle", Value::text("CEO")));
    let run = client.sync().run;
    let report = client.engine.undo(run).expect("undone");
    assert_eq!(report.left, Vec::<String>::new());
    assert_eq!(client.item(&item).expect("there").properties[&P::JobTitle], text("CTO"));
    assert_eq!(server.get("contact", id).expect("a row").text("nickname"), None);
    assert_eq!(words(&client.sync()), [], "an undone pair waits");
    assert!(client.engine.undo(run).is_err());
    client.engine.release(None).expect("released");
    let nickname = server.get("contact", id).expect("a row").text("nickname").map(str::to_owned);
    assert_eq!(nickname.as_deref(), Some("A"), "let go, the run happens again");
}

#[test]
fn a_run_that_made_and_removed_items_and_records_is_undone() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let came = server.create(contact("Ann", "Lee"));
    let went = client.make_tracked(ItemKind::Contact, &[(P::LastName, text("Ray"))]);
    let run = client.sync().run;
    let record = client.record_of(&went).expect("it went");
    let report = client.engine.undo(run).expect("undone");
    assert_eq!(report.left, Vec::<String>::new());
    assert!(client.items(ItemKind::Contact).iter().all(|item| item.entry_id == went));
    assert!(server.get("contact", came).is_some(), "what was there before the run stays");
    assert!(server.get("contact", record).is_none(), "what the run made is gone");
    assert!(client.item(&went).is_some(), "the user's own item stays");

    let server = Server::new();
    let mut client = Client::primary(&server);
    let open = server.create(Entity::new("task").with("subject", Value::text("open")));
    let shown = server.create(Entity::new("task").with("subject", Value::text("shown")));
    client.sync();
    let subject = |item: &offstage_outlook::Item| item.properties[&P::Subject].clone();
    let items = client.items(ItemKind::Task);
    let deleted = items.iter().find(|item| subject(item) == text("open")).expect("it came");
    client.mail.delete(&deleted.entry_id, None).expect("deleted");
    server.delete("task", shown);
    let run = client.sync().run;
    assert!(server.get("task", open).is_none(), "by the rule for open tasks");
    assert_eq!(client.items(ItemKind::Task).len(), 0);
    let report = client.engine.undo(run).expect("undone");
    let back: Vec<_> = client.items(ItemKind::Task).iter().map(subject).collect();
    assert_eq!(back, [text("shown")], "{report:#?}");
    let row = server.get("task", open).expect("the record is back");
    assert_eq!(row.text("subject"), Some("open"));
}
