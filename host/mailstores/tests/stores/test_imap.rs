//! E-mail over IMAP, with a real Dovecot.

use std::collections::BTreeMap;

use offstage_mailstores::imap::{ImapSettings, ImapStore, Security, ServerAbilities};
use offstage_model::{Timestamp, Uuid};
use offstage_outlook::{
    EntryId, FolderId, ItemKind, ItemPatch, LinkProperties, LinkState, MailStore, MailStoreError,
    NewItem, Person, Presence, Properties, Property, PropertyValue, ScanMark,
};

use crate::dovecot::{Dovecot, Kind, start};

const ORDER: &str = "From: Ann Lee <ANN@example.com>\r\nTo: ada@example.com, \"Bo, B.\" <bo@example.com>\r\nCc: Cy <cy@example.com>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <order-1@example.com>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0200\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nZwölf Stück,\r\nbitte.\r\n";

fn simple(message_id: &str, subject: &str) -> String {
    let id = if message_id.is_empty() {
        String::new()
    } else {
        format!("Message-ID: <{message_id}>\r\n")
    };
    format!(
        "From: ann@example.com\r\nTo: ada@example.com\r\nSubject: {subject}\r\n{id}Date: Wed, 25 Nov 2026 09:00:00 +0000\r\n\r\n{subject}\r\n"
    )
}

fn inbox() -> FolderId {
    FolderId::new("INBOX")
}

fn ids(store: &mut ImapStore, since: Option<&ScanMark>) -> (Vec<EntryId>, ScanMark) {
    let scan = store.scan(&inbox(), since).unwrap();
    (scan.rows.into_iter().map(|row| row.entry_id).collect(), scan.mark)
}

fn tied(state: LinkState) -> ItemPatch {
    let link = LinkProperties {
        crm_id: Some(Uuid::from_u128(7)),
        state: Some(state),
        ..LinkProperties::default()
    };
    ItemPatch { link: Some(link), ..ItemPatch::default() }
}

fn flags(server: &Dovecot) -> String {
    server.doveadm(&["fetch", "-u", "ada", "uid flags", "mailbox", "INBOX"])
}

#[test]
fn messages_are_scanned_newest_first_and_read_without_a_trace() {
    for kind in [Kind::Usual, Kind::WithoutCondstore] {
        let Some(server) = start(kind) else { return };
        server.deliver("INBOX", ORDER);
        server.deliver("INBOX", &simple("second@example.com", "second"));
        let mut settings = server.settings();
        settings.limits.page_messages_max = 1;
        let mut store = server.store_with(settings, "ties.db");
        let abilities = store.server_abilities().unwrap();
        let condstore = kind == Kind::Usual;
        assert_eq!(abilities, ServerAbilities { condstore, keywords: true });
        let names: Vec<String> = store.folders().unwrap().into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["INBOX", "Sent"]);

        let before = flags(&server);
        let first = store.scan(&inbox(), None).unwrap();
        assert!(first.complete && first.removed.is_empty());
        let (all, mark) = ids(&mut store, None);
        let read = store.read(&all).unwrap();
        let subjects =
            read.iter().map(|item| item.as_ref().unwrap().properties[&Property::Subject].clone());
        let wanted = ["second", "Grüße"].map(PropertyValue::text);
        assert_eq!(subjects.collect::<Vec<_>>(), wanted, "newest first");
        check_order(&read[1].as_ref().unwrap().properties);
        assert_eq!(flags(&server), before, "nothing was marked as read");

        assert_eq!(ids(&mut store, Some(&mark)).0, [], "nothing new");
        server.doveadm(&["flags", "add", "-u", "ada", "\\Seen", "mailbox", "INBOX", "uid", "1"]);
        server.deliver("INBOX", &simple("third@example.com", "third"));
        let scan = store.scan(&inbox(), Some(&mark)).unwrap();
        assert!(!scan.complete);
        let found: Vec<&EntryId> = scan.rows.iter().map(|row| &row.entry_id).collect();
        // A server that counts changes tells of flags too; the change key says that they are none.
        assert_eq!(found.len(), if condstore { 2 } else { 1 }, "{found:?}");
        assert!(!all.contains(found[0]));
        if condstore {
            assert_eq!(scan.rows[1].change_key, first.rows[1].change_key);
        }
        assert_eq!(ids(&mut store, Some(&scan.mark)).0, []);
        assert_eq!(ids(&mut store, Some(&ScanMark("no mark".into()))).0.len(), 3);
    }
}

fn check_order(found: &Properties) {
    let people = |people: &[(&str, &str)]| {
        PropertyValue::People(people.iter().map(|(n, a)| Person::new(*n, *a)).collect())
    };
    let mut found = found.clone();
    assert!(matches!(found.remove(&Property::ReceivedOn), Some(PropertyValue::Time(_))));
    let wanted = BTreeMap::from([
        (Property::Subject, PropertyValue::text("Grüße")),
        (Property::Body, PropertyValue::text("Zwölf Stück,\nbitte.")),
        (Property::MessageId, PropertyValue::text("<order-1@example.com>")),
        (Property::Sender, people(&[("Ann Lee", "ann@example.com")])),
        (Property::ToRecipients, people(&[("", "ada@example.com"), ("Bo, B.", "bo@example.com")])),
        (Property::CcRecipients, people(&[("Cy", "cy@example.com")])),
        (Property::SentOn, PropertyValue::Time(Timestamp(1_795_500_000_000))),
    ]);
    assert_eq!(found, wanted);
}

#[test]
fn folders_say_what_was_sent_and_what_is_a_draft() {
    let Some(server) = start(Kind::Usual) else { return };
    let cases = [("INBOX", true, true), ("Sent", true, false), ("Drafts", false, false)];
    let mut settings = server.settings();
    settings.folders = ["inbox", "Sent", "Drafts", "Archivü"].map(str::to_owned).to_vec();
    let mut store = server.store_with(settings, "ties.db");
    let folders = store.folders().unwrap();
    assert_eq!(folders.len(), 4);
    assert!(folders[0].default && folders[0].name == "INBOX", "{folders:?}");
    assert!(folders.iter().any(|f| f.name == "Archivü" && f.id.as_str() == "Archiv&APw-"));
    for (folder, sent, received) in cases {
        server.deliver(folder, &simple("x@example.com", "x"));
        let scan = store.scan(&FolderId::new(folder), None).unwrap();
        let item = store.read(&[scan.rows[0].entry_id.clone()]).unwrap().remove(0).unwrap();
        assert_eq!(item.folder.as_str(), folder);
        assert_eq!(item.properties.contains_key(&Property::SentOn), sent, "{folder}");
        assert_eq!(item.properties.contains_key(&Property::ReceivedOn), received, "{folder}");
    }
}

#[test]
fn ties_are_kept_beside_the_mailbox_and_shown_to_other_clients() {
    for kind in [Kind::Usual, Kind::WithoutCondstore] {
        let Some(server) = start(kind) else { return };
        server.deliver("INBOX", &simple("a@example.com", "a"));
        let (mut primary, mut secondary) =
            (server.store("primary.db"), server.store("secondary.db"));
        let (all, mark) = ids(&mut primary, None);
        let id = &all[0];

        // The secondary client asks, the scan of the primary one finds it.
        secondary.update(id, None, &tied(LinkState::Pending)).unwrap();
        let scan = primary.scan(&inbox(), Some(&mark)).unwrap();
        assert_eq!(scan.rows.len(), 1, "{kind:?}");
        assert_eq!(scan.rows[0].link.as_ref().unwrap().state, Some(LinkState::Pending));
        let item = primary.read(&all).unwrap().remove(0).unwrap();
        assert_eq!((item.link.state, item.link.crm_id), (Some(LinkState::Pending), None));
        assert!(flags(&server).contains("$CrmPending"));

        let written =
            primary.update(id, Some(&item.change_key), &tied(LinkState::Tracked)).unwrap();
        assert_ne!(written.change_key, item.change_key);
        assert_eq!(primary.read(&all).unwrap(), [Some(written.clone())]);
        let shown = flags(&server);
        assert!(shown.contains("$CrmTracked") && !shown.contains("$CrmPending"), "{shown}");
        let asked = secondary.read(&all).unwrap().remove(0).unwrap();
        assert_eq!(asked.link.state, Some(LinkState::Tracked), "the secondary one learns of it");

        // A change of the tie alone is found by the next scan.
        let again = primary.scan(&inbox(), Some(&scan.mark)).unwrap();
        assert_eq!(again.rows[0].change_key, written.change_key);
        assert_eq!(again.rows[0].link.as_ref().unwrap().crm_id, Some(Uuid::from_u128(7)));
        refuses_everything_else(&mut primary, id, &item.change_key);
        primary.update(id, None, &tied(LinkState::WasTracked)).unwrap();
        assert!(!flags(&server).contains("$Crm"));
    }
}

fn refuses_everything_else(store: &mut ImapStore, id: &EntryId, old: &offstage_outlook::ChangeKey) {
    let conflict = store.update(id, Some(old), &tied(LinkState::Tracked));
    assert!(matches!(conflict, Err(MailStoreError::Conflict { .. })), "{conflict:?}");
    let subject = BTreeMap::from([(Property::Subject, Some(PropertyValue::text("x")))]);
    let patch = ItemPatch { properties: subject, link: None };
    let new = NewItem {
        kind: ItemKind::Email,
        folder: None,
        properties: Properties::new(),
        link: LinkProperties::default(),
        transaction: Uuid::from_u128(1),
    };
    let refused = [
        store.update(id, None, &patch).map(drop),
        store.create(&new).map(drop),
        store.delete(id, None),
    ];
    for answer in refused {
        assert!(matches!(answer, Err(MailStoreError::Refused { .. })), "{answer:?}");
    }
    let nowhere = EntryId::new("INBOX/1/2");
    let gone = store.update(&nowhere, None, &tied(LinkState::Tracked));
    assert!(matches!(gone, Err(MailStoreError::Gone { .. })), "{gone:?}");
}

#[test]
fn a_server_that_takes_no_keywords_is_left_without() {
    let Some(server) = start(Kind::Usual) else { return };
    server.deliver("INBOX", &simple("a@example.com", "a"));
    let mut store =
        server.store_with(ImapSettings { keywords: false, ..server.settings() }, "t.db");
    let (all, _) = ids(&mut store, None);
    let before = flags(&server);
    let written = store.update(&all[0], None, &tied(LinkState::Tracked)).unwrap();
    assert_eq!(flags(&server), before);
    drop(store);
    let mut store = server.store("t.db");
    assert_eq!(store.read(&all).unwrap(), [Some(written)], "the tie is kept all the same");
}

#[test]
fn messages_are_found_again_and_only_gone_when_the_server_says_so() {
    let Some(server) = start(Kind::Usual) else { return };
    for message_id in ["kept@example.com", "moved@example.com", "deleted@example.com", ""] {
        server.deliver("INBOX", &simple(message_id, message_id));
    }
    // A forged copy of the Message-ID, with other content.
    server.deliver("Sent", &simple("deleted@example.com", "something else altogether"));
    let mut store = server.store("ties.db");
    let (mut all, mark) = ids(&mut store, None);
    all.reverse();
    let [kept, moved, deleted, nameless] = [0, 1, 2, 3].map(|at| all[at].clone());
    for id in [&kept, &moved] {
        store.update(id, None, &tied(LinkState::Tracked)).unwrap();
    }
    assert_eq!(store.presence(&all).unwrap(), vec![Presence::There; 4]);

    let move_it = ["move", "-u", "ada", "Sent", "mailbox", "INBOX", "uid", "2"];
    server.doveadm(&move_it);
    server.doveadm(&["expunge", "-u", "ada", "mailbox", "INBOX", "uid", "3"]);
    let found = store.presence(&all).unwrap();
    let Presence::Moved(now) = found[1].clone() else { panic!("{found:?}") };
    let wanted = [Presence::There, Presence::Moved(now.clone()), Presence::Gone, Presence::There];
    assert_eq!(found, wanted);
    let read = store.read(&[moved, deleted]).unwrap();
    let item = read[0].as_ref().unwrap();
    assert_eq!(
        (&item.entry_id, item.link.crm_id),
        (&now, Some(Uuid::from_u128(7))),
        "with its tie"
    );
    assert_eq!((item.folder.as_str(), read[1].is_none()), ("Sent", true));

    // Every UID of the folder means something else from now on.
    server.doveadm(&["mailbox", "update", "-u", "ada", "--uid-validity", "4000000000", "INBOX"]);
    let scan = store.scan(&inbox(), Some(&mark)).unwrap();
    assert!(scan.complete && scan.rows.len() == 2, "{scan:?}");
    let tied: Vec<_> =
        scan.rows.iter().filter(|row| row.link.as_ref().unwrap().crm_id.is_some()).collect();
    assert_eq!(tied.len(), 1, "the tie went along");
    let found = store.presence(&[kept.clone(), nameless]).unwrap();
    assert_eq!(found, [Presence::Moved(tied[0].entry_id.clone()), Presence::Unknown]);
    let read = store.read(std::slice::from_ref(&kept)).unwrap().remove(0).unwrap();
    assert_eq!(read.entry_id, tied[0].entry_id, "the old id still finds it");
}

/// Newsletters and forgeries share a Message-ID; however many there are, the message itself is found.
#[test]
fn a_message_is_found_behind_many_with_its_id() {
    let Some(server) = start(Kind::Usual) else { return };
    server.deliver("INBOX", &simple("shared@example.com", "the one"));
    for number in 0..120 {
        let other = format!("another text, number {number:05}");
        server.deliver("Sent", &simple("shared@example.com", &other));
    }
    let mut store = server.store("ties.db");
    let (all, _) = ids(&mut store, None);
    server.doveadm(&["move", "-u", "ada", "Sent", "mailbox", "INBOX", "uid", "1"]);
    let found = store.presence(&all).unwrap();
    let [Presence::Moved(now)] = found.as_slice() else { panic!("{found:?}") };
    let item = store.read(std::slice::from_ref(now)).unwrap().remove(0).unwrap();
    assert_eq!(item.properties[&Property::Subject], PropertyValue::text("the one"));
}

#[test]
fn failures_have_a_class_and_a_server_that_comes_back_is_used_again() {
    let Some(mut server) = start(Kind::Usual) else { return };
    server.deliver("INBOX", &simple("a@example.com", "a"));
    let attention = |settings: ImapSettings| {
        let mut store = server.store_with(settings, "other.db");
        let failed = store.scan(&inbox(), None).unwrap_err();
        let MailStoreError::NeedsAttention { problem, .. } = failed else { panic!("{failed:?}") };
        problem
    };
    let with = |change: fn(&mut ImapSettings)| {
        let mut settings = server.settings();
        change(&mut settings);
        settings
    };
    let wrong = attention(with(|settings| settings.password = "wrong".into()));
    assert!(wrong.contains("does not let the user in") && !wrong.contains("wrong"), "{wrong}");
    // An address of RFC 5737: nothing is sent there.
    let elsewhere = attention(with(|settings| settings.host = "192.0.2.1".into()));
    assert!(elsewhere.contains("without TLS"), "{elsewhere}");
    let small = attention(with(|settings| settings.limits.answer_bytes_max = 300));
    assert!(small.contains("more than 300 bytes"), "{small}");
    let mut lost = server.store_with(with(|s| s.folders = vec!["Lost".into()]), "lost.db");
    let failed = lost.folders().unwrap_err().to_string();
    assert!(failed.contains("'Lost'"), "{failed}");

    let mut store = server.store("ties.db");
    let (all, _) = ids(&mut store, None);
    server.stop();
    // A session that was open may outlive its server for a moment; a new one never begins.
    let failed = server.store("new.db").presence(&all).unwrap_err();
    assert!(matches!(failed, MailStoreError::Transient { .. }), "{failed:?}");
    server.run();
    assert_eq!(store.presence(&all).unwrap(), [Presence::There]);
    assert!(!format!("{:?}", server.settings()).contains(crate::dovecot::PASSWORD));
}

#[test]
fn tls_takes_only_a_certificate_that_it_can_trust() {
    let Some(server) = start(Kind::Tls) else { return };
    server.deliver("INBOX", ORDER);
    let mut store = server.store("ties.db");
    assert_eq!(ids(&mut store, None).0.len(), 1);
    let refused = [
        ImapSettings { security: Security::Tls { ca_file: None }, ..server.settings() },
        ImapSettings { host: "127.0.0.1".into(), ..server.settings() },
    ];
    for settings in refused {
        let mut store = server.store_with(settings.clone(), "other.db");
        let failed = store.scan(&inbox(), None).unwrap_err();
        assert!(
            matches!(failed, MailStoreError::NeedsAttention { .. }),
            "{settings:?}: {failed:?}"
        );
    }
}
