//! Compares what the server holds with what people did: every operation applied exactly once, in
//! their order, with the effects of the plug-ins once each.
//!
//! Never changes anything; says what is wrong in words.

use crate::work::{LEDGER, LEDGER_COLUMN, LEDGER_START, Worker};
use offstage_model::Uuid;
use std::collections::BTreeMap;

/// A row with its values as text.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// Its columns; empty ones are absent.
    pub columns: BTreeMap<String, String>,
}

impl Row {
    /// A value; empty when absent.
    #[must_use]
    pub fn text(&self, column: &str) -> &str {
        self.columns.get(column).map_or("", String::as_str)
    }

    fn number(&self, column: &str) -> f64 {
        let text = self.text(column);
        if text.is_empty() { 0.0 } else { text.parse().unwrap_or(f64::NAN) }
    }
}

/// What the server holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// All opportunities.
    pub opportunities: Vec<Row>,
    /// All contacts.
    pub contacts: Vec<Row>,
    /// All tasks.
    pub tasks: Vec<Row>,
    /// All accounts, the one with the ledger too.
    pub accounts: Vec<Row>,
}

/// The tables that [`Held`] needs, with their columns.
pub const WANTED: [(&str, &[&str]); 4] = [
    ("opportunity", &["name", "description", "estimatedvalue", "parentaccountid"]),
    ("contact", &["lastname", "description", "mobilephone"]),
    ("task", &["subject", "regardingobjectid"]),
    ("account", &["name", "description", "openopportunities", "openvalue"]),
];

impl Held {
    /// Reads the tables of [`WANTED`] by `rows`.
    pub fn read(mut rows: impl FnMut(&str, &[&str]) -> Vec<Row>) -> Self {
        let [opportunities, contacts, tasks, accounts] =
            WANTED.map(|(table, columns)| rows(table, columns));
        Self { opportunities, contacts, tasks, accounts }
    }
}

/// What is wrong; empty when everything is as it must be.
#[must_use]
pub fn violations(held: &Held, workers: &[&Worker]) -> Vec<String> {
    let mut wrong = Vec::new();
    for worker in workers {
        opportunities(held, worker, &mut wrong);
        contacts(held, worker, &mut wrong);
    }
    let expected: usize = workers.iter().map(|w| w.opportunities.len()).sum();
    if held.opportunities.len() != expected {
        wrong.push(format!("{} opportunities instead of {expected}", held.opportunities.len()));
    }
    let expected: usize = workers.iter().map(|w| w.contacts.len()).sum();
    if held.contacts.len() != expected {
        wrong.push(format!("{} contacts instead of {expected}", held.contacts.len()));
    }
    tasks(held, &mut wrong);
    accounts(held, &mut wrong);
    ledger(held, workers, &mut wrong);
    wrong
}

fn opportunities(held: &Held, worker: &Worker, wrong: &mut Vec<String>) {
    for (id, expected) in &worker.opportunities {
        let Some(row) = held.opportunities.iter().find(|row| row.id == *id) else {
            wrong.push(format!("opportunity {} is missing", expected.token));
            continue;
        };
        let account = expected.account.map(|id| id.to_string()).unwrap_or_default();
        let same = row.text("description") == expected.token
            && row.text("parentaccountid") == account
            && row.text("estimatedvalue").parse() == Ok(expected.value as f64);
        if !same {
            wrong.push(format!("opportunity {expected:?} is {row:?}"));
        }
    }
}

fn contacts(held: &Held, worker: &Worker, wrong: &mut Vec<String>) {
    for (id, expected) in &worker.contacts {
        let Some(row) = held.contacts.iter().find(|row| row.id == *id) else {
            wrong.push(format!("contact {} is missing", expected.token));
            continue;
        };
        let same =
            row.text("description") == expected.token && row.text("mobilephone") == expected.phone;
        if !same {
            wrong.push(format!("contact {expected:?} is {row:?}"));
        }
    }
}

/// One task per opportunity, by the plug-in that makes them.
fn tasks(held: &Held, wrong: &mut Vec<String>) {
    for opportunity in &held.opportunities {
        let id = opportunity.id.to_string();
        let count = held.tasks.iter().filter(|t| t.text("regardingobjectid") == id).count();
        if count != 1 {
            wrong.push(format!("{count} tasks for '{}'", opportunity.text("name")));
        }
    }
    if held.tasks.len() != held.opportunities.len() {
        let (tasks, opportunities) = (held.tasks.len(), held.opportunities.len());
        wrong.push(format!("{tasks} tasks for {opportunities} opportunities"));
    }
}

/// Each account's figures, by the plug-in that counts.
fn accounts(held: &Held, wrong: &mut Vec<String>) {
    for account in held.accounts.iter().filter(|a| a.id != LEDGER) {
        let id = account.id.to_string();
        let of_it = || held.opportunities.iter().filter(|o| o.text("parentaccountid") == id);
        let count = of_it().count() as f64;
        let value: f64 = of_it().map(|o| o.number("estimatedvalue")).sum();
        let counted = (account.number("openopportunities"), account.number("openvalue"));
        if counted != (count, value) {
            let name = account.text("name");
            wrong.push(format!("{name} counts {counted:?} instead of {:?}", (count, value)));
        }
    }
}

/// Each person's operations, once each and in their order.
fn ledger(held: &Held, workers: &[&Worker], wrong: &mut Vec<String>) {
    let row = held.accounts.iter().find(|a| a.id == LEDGER);
    let text = row.map(|row| row.text(LEDGER_COLUMN)).unwrap_or_default();
    let tokens: Vec<&str> = text.split(';').filter(|token| *token != LEDGER_START).collect();
    for worker in workers {
        let theirs: Vec<&&str> = tokens
            .iter()
            .filter(|token| token.trim_start_matches('-').starts_with(worker.letter))
            .collect();
        let same = theirs.len() == worker.ledger.len()
            && theirs.iter().zip(&worker.ledger).all(|(found, expected)| **found == expected);
        if !same {
            let done = worker.ledger.join(";");
            wrong.push(format!("ledger of {}: '{text}' instead of '{done}'", worker.letter));
        }
    }
}
