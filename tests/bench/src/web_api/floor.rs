//! The floor's server: axum and rusqlite, the same rows at the same durability, and no product.
//!
//! Never checks who asks, and knows three requests only.

use anyhow::{Context as _, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The argument with which this program is the floor's server.
pub(crate) const COMMAND: &str = "web-api-floor";
const COLUMNS: &str = "id, version, name, accountnumber, telephone1, emailaddress1, city, \
                       employees, industry, description, createdon, modifiedon, owner, state, status";

struct Shared {
    path: PathBuf,
    writer: Mutex<Connection>,
}

thread_local! {
    /// Each thread reads through a connection of its own.
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Serves the database until the process is killed.
#[expect(clippy::print_stdout, reason = "whoever started it reads the address")]
pub(crate) fn serve(path: PathBuf) -> Result<()> {
    let writer = open(&path)?;
    writer.execute_batch(
        "CREATE TABLE account (id TEXT PRIMARY KEY, version INTEGER, name TEXT, accountnumber TEXT,
           telephone1 TEXT, emailaddress1 TEXT, city TEXT, employees INTEGER, industry INTEGER,
           description TEXT, createdon INTEGER, modifiedon INTEGER, owner TEXT, state INTEGER,
           status INTEGER) STRICT, WITHOUT ROWID;
         CREATE INDEX account_version ON account (version);
         CREATE INDEX account_owner ON account (owner);
         CREATE TABLE task (id TEXT PRIMARY KEY, version INTEGER, subject TEXT, regarding TEXT,
           createdon INTEGER, modifiedon INTEGER, owner TEXT, state INTEGER, status INTEGER)
           STRICT, WITHOUT ROWID;
         CREATE INDEX task_version ON task (version);
         CREATE INDEX task_regarding ON task (regarding);",
    )?;
    let shared = Arc::new(Shared { path, writer: Mutex::new(writer) });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = Router::new()
            .route("/api/data/v9.2/accounts", post(create).get(page))
            .route("/api/data/v9.2/{row}", get(read))
            .with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", json!({ "listening": format!("http://{}", listener.local_addr()?) }));
        axum::serve(listener, router).await.context("the floor's server")
    })
}

fn open(path: &std::path::Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;",
    )?;
    Ok(connection)
}

/// Runs blocking work as a server must.
async fn blocking(work: impl FnOnce() -> Result<Response> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(response)) => response,
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn create(State(shared): State<Arc<Shared>>, Json(body): Json<Value>) -> Response {
    blocking(move || {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let id = text("accountid");
        let mut connection = shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = connection.transaction()?;
        // What the two steps do: a derived column, and a row.
        tx.prepare_cached(
            "INSERT INTO account VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'derived', 1, 1, 'a', 0, 1)",
        )?
        .execute(params![
            id,
            text("name"),
            text("accountnumber"),
            text("telephone1"),
            text("emailaddress1"),
            text("address1_city"),
            body["numberofemployees"].as_i64(),
            body["industrycode"].as_i64(),
        ])?;
        tx.prepare_cached("INSERT INTO task VALUES ('t' || ?1, 2, 'audit', ?1, 1, 1, 'a', 0, 1)")?
            .execute([&id])?;
        tx.commit()?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

fn reading<T>(shared: &Shared, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    READER.with_borrow_mut(|reader| {
        let connection = match reader.take() {
            Some(connection) => connection,
            None => open(&shared.path)?,
        };
        read(reader.insert(connection))
    })
}

fn account(row: &Row<'_>) -> rusqlite::Result<Value> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let number = |at: usize| row.get::<_, Option<i64>>(at);
    Ok(json!({
        "@odata.etag": format!("W/\"{}\"", number(1)?.unwrap_or_default()), "accountid": text(0)?,
        "name": text(2)?, "accountnumber": text(3)?, "telephone1": text(4)?,
        "emailaddress1": text(5)?, "address1_city": text(6)?, "numberofemployees": number(7)?,
        "industrycode": number(8)?, "description": text(9)?, "createdon": number(10)?,
        "modifiedon": number(11)?, "_ownerid_value": text(12)?, "statecode": number(13)?,
        "statuscode": number(14)?,
    }))
}

async fn read(State(shared): State<Arc<Shared>>, Path(row): Path<String>) -> Response {
    blocking(move || {
        let id = row.trim_start_matches("accounts(").trim_end_matches(')').to_owned();
        let sql = format!("SELECT {COLUMNS} FROM account WHERE id = ?1");
        let found = reading(&shared, |connection| {
            Ok(connection.prepare_cached(&sql)?.query_row([id], account).optional()?)
        })?;
        Ok(found.map_or_else(
            || StatusCode::NOT_FOUND.into_response(),
            |account| Json(account).into_response(),
        ))
    })
    .await
}

async fn page(State(shared): State<Arc<Shared>>) -> Response {
    blocking(move || {
        let sql = format!("SELECT {COLUMNS} FROM account ORDER BY id LIMIT 50");
        let found = reading(&shared, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([], account)?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })?;
        Ok(Json(json!({ "value": found })).into_response())
    })
    .await
}
