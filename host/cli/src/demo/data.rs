//! The demo's company: accounts, contacts and opportunities, made from small lists of names, the
//! same ones every time.
//!
//! Never random: everything follows from the number of accounts.

use offstage_model::identity::{digest, guid_of};
use offstage_model::{Decimal, Entity, Request, Timestamp, Uuid, Value};

const FIRST: &[&str] = &[
    "Aiko", "Amara", "Ana", "Bashir", "Carla", "Chen", "Daniel", "Elif", "Emeka", "Farah", "Goran",
    "Hana", "Ines", "Ivan", "Jonas", "Kavya", "Lena", "Luca", "Mei", "Nadia", "Oskar", "Priya",
    "Quinn", "Rafael", "Sofia", "Tariq", "Uma", "Viktor", "Wanda", "Yusuf", "Zoe",
];
const LAST: &[&str] = &[
    "Adeyemi",
    "Almeida",
    "Becker",
    "Castillo",
    "Demir",
    "Eriksen",
    "Fontaine",
    "Garcia",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "Okafor",
    "Petrov",
    "Quispe",
    "Rossi",
    "Schneider",
    "Tanaka",
    "Ueda",
    "Varga",
    "Wang",
    "Xu",
    "Yilmaz",
    "Zhou",
];
const COMPANY: &[&str] = &[
    "Alpine",
    "Bluewater",
    "Cedar",
    "Delta",
    "Evergreen",
    "Falcon",
    "Granite",
    "Harbor",
    "Iris",
    "Juniper",
    "Keystone",
    "Lakeside",
    "Meridian",
    "Northgate",
    "Orchard",
    "Pioneer",
    "Quarry",
    "Riverside",
    "Summit",
    "Timber",
    "Union",
    "Valley",
    "Westwind",
];
const TRADE: &[&str] = &[
    "Bakery",
    "Bicycles",
    "Boatworks",
    "Brewing",
    "Ceramics",
    "Clinics",
    "Dairy",
    "Foods",
    "Furniture",
    "Glass",
    "Hotels",
    "Logistics",
    "Optics",
    "Paper",
    "Pumps",
    "Robotics",
    "Textiles",
    "Tools",
    "Toys",
    "Vineyards",
];
const CITY: &[(&str, &str)] = &[
    ("Seattle", "206"),
    ("Portland", "503"),
    ("Denver", "303"),
    ("Austin", "512"),
    ("Chicago", "312"),
    ("Boston", "617"),
    ("Atlanta", "404"),
    ("Phoenix", "602"),
];
const JOB: &[&str] = &[
    "Buyer",
    "Owner",
    "Plant Manager",
    "Purchasing Manager",
    "Head of Operations",
    "Engineer",
    "Office Manager",
    "Controller",
];
const DEAL: &[&str] = &[
    "spare parts for a year",
    "service contract",
    "new production line",
    "trial order",
    "replacement units",
    "training",
    "second site",
    "framework agreement",
];

/// Contacts per account.
pub(super) const CONTACTS: u32 = 3;
/// Opportunities per account.
pub(super) const OPPORTUNITIES: u32 = 2;
/// The credit limit of every account, in dollars.
pub(super) const CREDIT_LIMIT: i64 = 60_000;

/// One deterministic number after the other (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// The id of the `number`th row of `table`.
pub(super) fn id(table: &str, number: u32) -> Uuid {
    guid_of(digest(&[b"demo", table.as_bytes(), &number.to_be_bytes()]))
}

/// The e-mail address of the `number`th contact.
pub(super) fn email(number: u32) -> String {
    let (first, last) = name(number);
    format!("{}.{}.{number}@example.com", first.to_lowercase(), last.to_lowercase())
}

/// First and last name of the `number`th contact.
pub(super) fn name(number: u32) -> (&'static str, &'static str) {
    let mut numbers = Numbers(u64::from(number) ^ 0x00C0_FFEE);
    (numbers.pick(FIRST), numbers.pick(LAST))
}

/// The name of the `number`th account.
pub(super) fn company(number: u32) -> String {
    let number = number as usize;
    let (first, second) = (number % COMPANY.len(), number / COMPANY.len());
    let trade = TRADE[(second + first) % TRADE.len()];
    let name = format!("{} {trade}", COMPANY[first]);
    match number / (COMPANY.len() * TRADE.len()) {
        0 => name,
        series => format!("{name} {}", series + 1),
    }
}

/// Everything, as Create requests of rows that belong to `owner`, parents first.
pub(super) fn requests(accounts: u32, owner: Uuid) -> Vec<Request> {
    let owned =
        |row: Entity| Request::create(row.with("ownerid", Value::reference("systemuser", owner)));
    let mut rows = Vec::new();
    for number in 0..accounts {
        rows.push(owned(account(number)));
    }
    for number in 0..accounts * CONTACTS {
        rows.push(owned(contact(number)));
    }
    for number in 0..accounts * OPPORTUNITIES {
        rows.push(owned(opportunity(number)));
    }
    rows
}

fn dollars(amount: i64) -> Value {
    Value::Money(Decimal::from(amount))
}

fn account(number: u32) -> Entity {
    let mut numbers = Numbers(u64::from(number) ^ 0xACC0);
    let (city, area) = numbers.pick(CITY);
    let line = 1_000 + numbers.below(9_000);
    Entity::with_id("account", id("account", number))
        .with("name", Value::text(company(number)))
        .with("accountnumber", Value::text(format!("A-{number:05}")))
        .with("telephone1", Value::text(format!("+1{area}555{line}")))
        .with("address1_city", Value::text(city))
        .with("creditlimit", dollars(CREDIT_LIMIT))
        .with("industrycode", Value::Option(1 + i32::try_from(numbers.below(12)).unwrap_or(0)))
}

fn contact(number: u32) -> Entity {
    let mut numbers = Numbers(u64::from(number) ^ 0xC047);
    let (first, last) = name(number);
    let (city, area) = numbers.pick(CITY);
    let line = 1_000 + numbers.below(9_000);
    let account = id("account", number / CONTACTS);
    Entity::with_id("contact", id("contact", number))
        .with("firstname", Value::text(first))
        .with("lastname", Value::text(last))
        .with("fullname", Value::text(format!("{first} {last}")))
        .with("emailaddress1", Value::text(email(number)))
        .with("mobilephone", Value::text(format!("+1{area}555{line}")))
        .with("jobtitle", Value::text(numbers.pick(JOB)))
        .with("address1_city", Value::text(city))
        .with("parentcustomerid", Value::reference("account", account))
}

fn opportunity(number: u32) -> Entity {
    let mut numbers = Numbers(u64::from(number) ^ 0x0DEA);
    let value = 500 * (4 + i64::try_from(numbers.below(60)).unwrap_or(0));
    let account = number / OPPORTUNITIES;
    let deal = numbers.pick(DEAL);
    // 2026-12-01 and up to 200 days later.
    let close = Timestamp(1_796_083_200_000)
        .plus_ms(86_400_000 * i64::try_from(numbers.below(200)).unwrap_or(0));
    Entity::with_id("opportunity", id("opportunity", number))
        .with("name", Value::text(format!("{}: {deal}", company(account))))
        .with("estimatedvalue", dollars(value))
        .with(
            "closeprobability",
            Value::Integer(10 * (1 + i32::try_from(numbers.below(9)).unwrap_or(0))),
        )
        .with("estimatedclosedate", Value::DateTime(close))
        .with("parentaccountid", Value::reference("account", id("account", account)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use offstage_model::Catalog;
    use offstage_model::metadata::DefinitionFile;
    use std::collections::BTreeSet;

    fn catalog() -> Catalog {
        let file: DefinitionFile = serde_json::from_str(super::super::TABLES).unwrap();
        let catalog = Catalog::base().extended(file.clone()).unwrap();
        // Adding the file twice does no harm.
        assert_eq!(catalog.extended(file).unwrap().version, catalog.version);
        catalog
    }

    #[test]
    fn every_row_fits_the_sales_tables() {
        let catalog = catalog();
        for request in requests(50, Uuid::from_u128(1)) {
            let row = request.entity("Target").unwrap();
            for (column, value) in &row.attributes {
                let definition = catalog.column(&row.table, column).unwrap();
                definition.check(&row.table, column, value).unwrap();
            }
        }
    }

    #[test]
    fn it_is_the_same_every_time_and_has_no_duplicates() {
        let owner = Uuid::from_u128(1);
        assert_eq!(requests(30, owner), requests(30, owner));
        let emails: BTreeSet<String> = (0..3_000).map(email).collect();
        assert_eq!(emails.len(), 3_000);
        let companies: BTreeSet<String> = (0..1_000).map(company).collect();
        assert_eq!(companies.len(), 1_000);
    }

    #[test]
    fn tasks_can_be_about_opportunities_and_quotes() {
        let catalog = catalog();
        let targets = &catalog.column("task", "regardingobjectid").unwrap().targets;
        assert!(
            ["account", "contact", "opportunity", "quote"]
                .iter()
                .all(|t| targets.contains(&(*t).to_owned()))
        );
    }
}
