//! PrepareSync and pull on the server: after 100 changes, after none, and a first pull of 2 %, at
//! growing sizes of the database.

use crate::floor::{self, Floor};
use crate::measure::{Rounds, Sample, sample};
use crate::report::Line;
use crate::world::{USER, World, caller, fault};
use crate::{Setting, rows};
use anyhow::{Result, ensure};
use offstage_model::query::Filter;
use offstage_model::{Timestamp, Uuid, Value};
use offstage_replication::wire::{
    ConnectRequest, DataRequest, FiltersRequest, PAGE_ROWS_MAX, PROTOCOL_VERSION, PostRequest,
    PrepareRequest,
};
use offstage_store::WriteStamp;
use offstage_subscription::DataFilter;

const CHANGES: usize = 100;
const PROPORTIONAL: &str = "each row costs the same at every size";
/// How much more a row may cost in a database ten times as large: a deeper tree, and noise.
const GROWTH_MAX: f64 = 1.3;
const SOMEBODY: Uuid = Uuid::from_u128(0xb0b);

/// Runs the benchmark.
pub(crate) fn run(setting: &Setting) -> Result<Vec<Line>> {
    let sizes: &[usize] = match setting.size(0, 1, 2) {
        0 => &[200],
        1 => &[1_000, 10_000, 100_000],
        _ => &[1_000, 10_000, 100_000, 1_000_000],
    };
    let mut lines = Vec::new();
    for &size in sizes {
        lines.extend(changed_and_not(setting, size)?);
    }
    let mut smaller: Vec<Line> = Vec::new();
    for &size in &sizes[sizes.len().saturating_sub(2)..] {
        let found = filtered(setting, size)?;
        for (at, line) in found.iter().enumerate() {
            let before = smaller.get(at).map(|line| line.cpu_us.median);
            lines.push(line.clone().target(PROPORTIONAL, |line| {
                before.is_none_or(|before| line.cpu_us.median <= before * GROWTH_MAX)
            }));
        }
        smaller = found;
    }
    Ok(lines)
}

/// A device as the server sees it.
struct Client<'a> {
    world: &'a World,
    device: Uuid,
    token: String,
    after: u64,
}

impl<'a> Client<'a> {
    fn new(world: &'a World, number: u128) -> Result<Self> {
        let device = Uuid::from_u128(0xd00 + number);
        let request = ConnectRequest {
            protocol: PROTOCOL_VERSION,
            device,
            name: "bench".into(),
            public_key: None,
            renew: false,
        };
        let token = world.service.connect(&caller(), &request).map_err(fault)?.token;
        Ok(Self { world, device, token, after: 0 })
    }

    /// One sync round; returns how many rows came.
    fn pull(&mut self) -> Result<usize> {
        let (device, service) = (self.device, &self.world.service);
        let request = PrepareRequest { device, token: self.token.clone() };
        service.prepare(&caller(), &request).map_err(fault)?;
        let before = self.after;
        let mut came = 0;
        loop {
            let request = DataRequest {
                device,
                token: self.token.clone(),
                after: self.after,
                limit: PAGE_ROWS_MAX,
            };
            let page = service.data(&caller(), &request).map_err(fault)?;
            came += page.rows.len();
            self.after = page.through;
            if !page.more {
                break;
            }
        }
        if self.after > before {
            let request = PostRequest { device, token: self.token.clone(), through: self.after };
            self.token = service.post(&caller(), &request).map_err(fault)?.token;
        }
        Ok(came)
    }
}

fn changed_and_not(setting: &Setting, size: usize) -> Result<Vec<Line>> {
    let folder = setting.folder()?;
    let world = World::new(folder.path())?;
    world.fill(size, |_| USER)?;
    let mut floor = Floor::filled(&folder.path().join("floor.db"), size)?;
    let mut client = Client::new(&world, 0)?;
    client.pull()?;
    let [mut changed, mut changed_floor, mut same, mut same_floor] = [const { Rounds::new() }; 4];
    let mut version = size as i64;
    for round in 0..setting.rounds + 2 {
        change(&world, size, round)?;
        let since = version;
        version = change_floor(&mut floor, size, round, version)?;
        let (pulled, came) = sample(|| client.pull())?;
        ensure!(came == CHANGES, "{came} rows came");
        let (plain, came) = sample(|| pull_floor(&mut floor, since))?;
        ensure!(came == CHANGES, "{came} rows came from the floor");
        let (nothing, came) = sample(|| client.pull())?;
        ensure!(came == 0, "{came} rows came");
        let (nothing_floor, _) = sample(|| pull_floor(&mut floor, version))?;
        // The first rounds fill caches of statements and pages.
        if round >= 2 {
            let keep = |rounds: &mut Rounds, time: Sample| rounds.push(time, 1);
            keep(&mut changed, pulled);
            keep(&mut changed_floor, plain);
            keep(&mut same, nothing);
            keep(&mut same_floor, nothing_floor);
        }
    }
    let within = |limit: f64| move |line: &Line| line.cpu_us.median <= limit;
    Ok(vec![
        Line::beside(format!("pull {CHANGES} changes of {size} rows"), &changed, &changed_floor)
            .target("CPU <= 2000 us, flat", within(2_000.0)),
        Line::beside(format!("pull, nothing changed in {size} rows"), &same, &same_floor)
            .target("CPU <= 1000 us", within(1_000.0)),
    ])
}

fn change(world: &World, size: usize, round: usize) -> Result<()> {
    let mut tx = world.server.store().write()?;
    let stamp = WriteStamp::server(Timestamp(1_795_000_000_001));
    for number in changed_numbers(size, round) {
        let changes = [("telephone1".to_owned(), Value::text(format!("+49 30 {round}")))].into();
        tx.update("account", rows::id(number), &changes, &stamp)?;
    }
    Ok(tx.commit()?)
}

fn change_floor(floor: &mut Floor, size: usize, round: usize, mut version: i64) -> Result<i64> {
    let tx = floor.connection.transaction()?;
    for number in changed_numbers(size, round) {
        version += 1;
        tx.prepare_cached("UPDATE account SET telephone1 = ?2, version = ?3 WHERE id = ?1")?
            .execute(rusqlite::params![
                rows::id(number).as_bytes(),
                format!("+49 30 {round}"),
                version
            ])?;
    }
    tx.commit()?;
    Ok(version)
}

fn changed_numbers(size: usize, round: usize) -> impl Iterator<Item = usize> {
    let step = size / CHANGES;
    (0..CHANGES).map(move |n| n * step + round % step.max(1))
}

/// What came after a version, and the position that is kept.
fn pull_floor(floor: &mut Floor, since: i64) -> Result<usize> {
    let tx = floor.connection.transaction()?;
    let came = read_all(&tx, "SELECT * FROM account WHERE version > ? ORDER BY version", since)?;
    if came > 0 {
        floor::position(&tx, came)?;
    }
    tx.commit()?;
    Ok(came)
}

fn read_all(
    tx: &rusqlite::Transaction<'_>,
    sql: &str,
    param: impl rusqlite::ToSql,
) -> Result<usize> {
    let mut select = tx.prepare_cached(sql)?;
    let columns = select.column_count();
    let mut found = select.query([param])?;
    let mut came = 0;
    while let Some(row) = found.next()? {
        let cells: Result<Vec<rusqlite::types::Value>, _> =
            (0..columns).map(|at| row.get(at)).collect();
        came += usize::from(!cells?.is_empty());
    }
    Ok(came)
}

/// First pulls of 2 %: by owner, which has an index, and by a text column, which has none.
fn filtered(setting: &Setting, size: usize) -> Result<Vec<Line>> {
    let folder = setting.folder()?;
    let world = World::new(folder.path())?;
    let owner = |number: usize| if rows::city(number) == "Bergen" { USER } else { SOMEBODY };
    world.fill(size, owner)?;
    let mut floor = Floor::filled(&folder.path().join("floor.db"), size)?;
    floor
        .connection
        .execute("UPDATE account SET owner = ?1 WHERE city = 'Berlin'", [SOMEBODY.as_bytes()])?;
    let expected = (0..size).filter(|&number| owner(number) == USER).count();
    let mut lines = Vec::new();
    for (what, filter, sql) in [
        ("owner", None, "SELECT * FROM account WHERE owner = ?"),
        ("city (no index)", Some("Bergen"), "SELECT * FROM account WHERE city = ?"),
    ] {
        let (mut product_rounds, mut floor_rounds) = (Rounds::default(), Rounds::default());
        for round in 0..setting.rounds {
            let number = lines.len() * 100 + round;
            let mut client = Client::new(&world, 1 + number as u128)?;
            if let Some(city) = filter {
                by_city(&client, city)?;
            }
            let (time, came) = sample(|| client.pull())?;
            // The user's own row comes by the default filters.
            ensure!(came.abs_diff(expected) <= 1, "{came} rows came, not {expected}");
            product_rounds.push(time, expected);
            let (time, came) = sample(|| {
                let tx = floor.connection.transaction()?;
                let came = match filter {
                    Some(city) => read_all(&tx, sql, city)?,
                    None => read_all(&tx, sql, [0xa1_u8; 16])?,
                };
                floor::position(&tx, came)?;
                tx.commit()?;
                Ok(came)
            })?;
            ensure!(came == expected, "{came} rows came from the floor");
            floor_rounds.push(time, expected);
        }
        let case = format!("first pull of 2 % of {size} rows by {what}, each row");
        lines.push(
            Line::beside(case, &product_rounds, &floor_rounds).note(format!("{expected} rows")),
        );
    }
    Ok(lines)
}

fn by_city(client: &Client<'_>, city: &str) -> Result<()> {
    let filters = vec![DataFilter {
        name: "city".into(),
        table: "account".into(),
        filter: Some(Filter::eq("address1_city", Value::text(city))),
    }];
    let request = FiltersRequest { device: client.device, filters };
    client.world.service.set_filters(&caller(), &request).map_err(fault)
}
