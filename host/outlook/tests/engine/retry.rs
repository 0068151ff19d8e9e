//! What fails for now is tried again, later and later, and in the end waits for a person. The clock is
//! passed in.

use super::support::{Client, DAY, MINUTE, Server, text, words};
use offstage_model::{Entity, Value};
use offstage_outlook::engine::Word;
use offstage_outlook::{ItemKind, Property as P};
use std::sync::atomic::Ordering;

/// Attempts before a person is asked.
const ATTEMPTS: u32 = 12;

#[test]
fn attempts_are_further_and_further_apart_and_then_a_person_is_asked() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let row = Entity::new("contact").with("lastname", Value::text("Lee"));
    let record = server.create(row);
    let other = server.create(Entity::new("task").with("subject", Value::text("t")));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    let fails = std::sync::Arc::clone(&client.mail.2);
    fails.store(true, Ordering::SeqCst);
    server.update(Entity::with_id("contact", record).with("jobtitle", Value::text("CEO")));
    let mut wait = MINUTE;
    for attempt in 1..ATTEMPTS {
        assert_eq!(words(&client.sync()), [Word::Retried], "attempt {attempt}");
        // Each look at the clock moves it by a millisecond; a second is more than a run takes.
        server.later(wait - 1_000);
        assert_eq!(words(&client.sync()), [], "too early after attempt {attempt}");
        server.later(1_000);
        wait = (2 * wait).min(6 * 60 * MINUTE);
    }
    assert_eq!(words(&client.sync()), [Word::Held]);
    let held = client.engine.held().expect("held");
    assert_eq!((held.len(), held[0].kind.as_str()), (1, "failing"));
    assert!(held[0].reason.contains("takes no writes"), "{}", held[0].reason);
    // It is not tried by itself any more, and the others go on.
    server.later(30 * DAY);
    server.delete("task", other);
    assert_eq!(words(&client.sync()), [Word::DeletedItem]);
    // A person lets it go on: it begins anew, and comes to its end when the cause is gone.
    let again = client.engine.release(Some(held[0].pair)).expect("released");
    assert_eq!(words(&again), [Word::Retried]);
    fails.store(false, Ordering::SeqCst);
    server.later(MINUTE);
    assert_eq!(words(&client.sync()), [Word::Merged]);
    assert_eq!(client.item(&item).expect("there").properties[&P::JobTitle], text("CEO"));
    assert!(client.engine.held().expect("held").is_empty());
}

#[test]
fn something_new_is_tried_at_once() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let record = server.create(Entity::new("contact").with("lastname", Value::text("Lee")));
    client.sync();
    let item = client.items(ItemKind::Contact)[0].entry_id.clone();
    let fails = std::sync::Arc::clone(&client.mail.2);
    let title = |title: &str| {
        server.update(Entity::with_id("contact", record).with("jobtitle", Value::text(title)));
    };
    fails.store(true, Ordering::SeqCst);
    title("CTO");
    for _ in 0..4 {
        client.sync();
        server.later(60 * MINUTE);
    }
    client.sync();
    assert_eq!(words(&client.sync()), [], "it waits");
    fails.store(false, Ordering::SeqCst);
    client.edit(&item, P::Nickname, text("Annie"));
    assert_eq!(words(&client.sync()), [Word::Merged]);
    let row = server.get("contact", record).expect("a row");
    assert_eq!(row.text("nickname"), Some("Annie"));
    assert_eq!(client.item(&item).expect("there").properties[&P::JobTitle], text("CTO"));
}
