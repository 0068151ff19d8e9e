//! Random work of one person on a device, with what it must have come to on the server.
//!
//! Every operation writes a token into the column `description`, and a step that runs on the server
//! only appends each token to one row, the *ledger*: reading, adding and writing back. So the ledger
//! shows what the server did, in which order, and how often. Never looks at the product.

use crate::seeds::Seeded;
use offstage_model::{Decimal, Entity, Request, Uuid, Value};
use std::collections::BTreeMap;

/// The tables of the sample plug-ins.
pub const TABLES: &str = include_str!("../../../sample-plugins/tables/sales.json");
/// The sample plug-ins that work with, and the one that keeps the ledger.
pub const PLUGINS: [&str; 4] = ["phone_numbers", "follow_up_task", "account_rollup", "script"];
/// The row with the ledger.
pub const LEDGER: Uuid = Uuid::from_u128(0x1ED6_E000_0000_4000_8000_0000_0000_0001);
/// The column of [`LEDGER`] that holds it; at most 2,000 characters.
pub const LEDGER_COLUMN: &str = "description";
/// What the ledger says before anything happened.
pub const LEDGER_START: &str = "start";

/// The account with this number; all devices work with the same ones.
#[must_use]
pub fn account(number: u64) -> Uuid {
    Uuid::from_u128(0xACC0_0000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}

/// The steps that keep the ledger, as declarations in JSON.
#[must_use]
pub fn ledger_steps() -> Vec<serde_json::Value> {
    let mut steps = Vec::new();
    for table in ["opportunity", "contact"] {
        for (message, token) in [
            ("Create", "{target:description}"),
            ("Update", "{target:description}"),
            ("Delete", "-{pre:before:description}"),
        ] {
            let mut step = serde_json::json!({
                "key": format!("ledger-{table}-{message}").to_lowercase(),
                "message": message, "table": table, "stage": 40, "deployment": 0, "rank": 99,
                "configuration": format!(
                    "get account {LEDGER} {LEDGER_COLUMN}\nupdate account {LEDGER} {LEDGER_COLUMN}=s:{{got}};{token}"
                ),
            });
            match message {
                "Update" => step["filtering"] = serde_json::json!(["description"]),
                "Delete" => {
                    step["images"] = serde_json::json!([
                        {"alias": "before", "kind": "pre", "attributes": ["description"]}
                    ]);
                }
                _ => {}
            }
            steps.push(step);
        }
    }
    steps
}

/// One thing that a person does, and the token that the ledger shows for it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What the ledger shows.
    pub token: String,
    /// What is asked.
    pub request: Request,
}

/// A row as the server must hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The token of the last operation on it.
    pub token: String,
    /// Dollars, of an opportunity.
    pub value: i64,
    /// The account, of an opportunity.
    pub account: Option<Uuid>,
    /// The phone number in the form that the plug-in gives it, of a contact.
    pub phone: String,
}

/// A person with what they made so far.
#[derive(Debug)]
pub struct Worker {
    /// Their letter, the first one of each of their tokens; lower case.
    pub letter: char,
    numbers: Seeded,
    accounts: u64,
    count: u64,
    /// Their opportunities.
    pub opportunities: BTreeMap<Uuid, Expected>,
    /// Their contacts.
    pub contacts: BTreeMap<Uuid, Expected>,
    /// Their part of the ledger.
    pub ledger: Vec<String>,
}

impl Worker {
    /// A person who works with so many accounts.
    #[must_use]
    pub fn new(letter: char, numbers: Seeded, accounts: u64) -> Self {
        Self {
            letter,
            numbers,
            accounts,
            count: 0,
            opportunities: BTreeMap::new(),
            contacts: BTreeMap::new(),
            ledger: Vec::new(),
        }
    }

    /// The operations so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The next thing they do. It counts as done.
    pub fn work(&mut self) -> Operation {
        self.count += 1;
        let token = format!("{}{}", self.letter, self.count);
        let operation = match self.numbers.below(10) {
            0..=2 => self.make_opportunity(token),
            3..=4 => self.make_contact(token),
            5..=6 => self.change_opportunity(token),
            7..=8 => self.change_contact(token),
            _ => self.remove(token),
        };
        self.ledger.push(operation.token.clone());
        operation
    }

    fn make_opportunity(&mut self, token: String) -> Operation {
        let id = self.numbers.id();
        let value = i64::try_from(self.numbers.below(10_000)).expect("it is small");
        let account = account(self.numbers.below(self.accounts));
        let row = Entity::with_id("opportunity", id)
            .with("name", Value::text(format!("deal {token}")))
            .with("description", Value::text(&*token))
            .with("estimatedvalue", Value::Money(Decimal::from(value)))
            .with("parentaccountid", Value::reference("account", account));
        let expected =
            Expected { token: token.clone(), value, account: Some(account), ..Expected::default() };
        self.opportunities.insert(id, expected);
        Operation { token, request: Request::create(row) }
    }

    fn make_contact(&mut self, token: String) -> Operation {
        let id = self.numbers.id();
        let (typed, phone) = self.phone();
        let row = Entity::with_id("contact", id)
            .with("lastname", Value::text(format!("person {token}")))
            .with("description", Value::text(&*token))
            .with("mobilephone", Value::text(typed));
        let expected = Expected { token: token.clone(), phone, ..Expected::default() };
        self.contacts.insert(id, expected);
        Operation { token, request: Request::create(row) }
    }

    fn change_opportunity(&mut self, token: String) -> Operation {
        let Some(id) = pick(&mut self.numbers, &self.opportunities) else {
            return self.make_opportunity(token);
        };
        let value = i64::try_from(self.numbers.below(10_000)).expect("it is small");
        let mut row = Entity::with_id("opportunity", id)
            .with("description", Value::text(&*token))
            .with("estimatedvalue", Value::Money(Decimal::from(value)));
        let moves = self.numbers.chance(300).then(|| account(self.numbers.below(self.accounts)));
        if let Some(account) = moves {
            row = row.with("parentaccountid", Value::reference("account", account));
        }
        let expected = self.opportunities.get_mut(&id).expect("it was picked");
        expected.token.clone_from(&token);
        expected.value = value;
        expected.account = moves.or(expected.account);
        Operation { token, request: Request::update(row) }
    }

    fn change_contact(&mut self, token: String) -> Operation {
        let Some(id) = pick(&mut self.numbers, &self.contacts) else {
            return self.make_contact(token);
        };
        let (typed, phone) = self.phone();
        let row = Entity::with_id("contact", id)
            .with("description", Value::text(&*token))
            .with("mobilephone", Value::text(typed));
        let expected = self.contacts.get_mut(&id).expect("it was picked");
        expected.token.clone_from(&token);
        expected.phone = phone;
        Operation { token, request: Request::update(row) }
    }

    fn remove(&mut self, token: String) -> Operation {
        let (table, rows) = if self.numbers.chance(500) {
            ("opportunity", &mut self.opportunities)
        } else {
            ("contact", &mut self.contacts)
        };
        let Some(id) = pick(&mut self.numbers, rows) else {
            return self.make_contact(token);
        };
        let removed = rows.remove(&id).expect("it was picked");
        Operation { token: format!("-{}", removed.token), request: Request::delete(table, id) }
    }

    /// A number as typed, and as it is stored.
    fn phone(&mut self) -> (String, String) {
        let last = 100 + self.numbers.below(100);
        (format!("(206) 555-0{last}"), format!("+12065550{last}"))
    }
}

fn pick(numbers: &mut Seeded, rows: &BTreeMap<Uuid, Expected>) -> Option<Uuid> {
    rows.keys().nth(numbers.index(rows.len())).copied()
}
