//! A plug-in that does what its step's configuration says, so that behavioural cases are data.
//!
//! One command per line:
//!
//! ```text
//! set COLUMN VALUE            remove COLUMN              touch COLUMN (set it to what it is)
//! create TABLE COL=VALUE ...  update TABLE ID COL=VALUE  delete TABLE ID   get TABLE ID COLUMN
//! upsert TABLE ID COL=VALUE ...                          assign TABLE ID USER
//! state TABLE ID STATE STATUS                            send MESSAGE (without parameters)
//! link TABLE ID RELATIONSHIP TABLE ID                    unlink TABLE ID RELATIONSHIP TABLE ID
//! query TABLE COLUMNS|* LOOKUP/COLUMN=VALUE|- ORDER|-    (the count of rows becomes `{got}`)
//! top TABLE COLUMN ROWS
//! retarget TABLE              (tries to make the request about another row)
//! catch COMMAND               (goes on when COMMAND fails)
//! share NAME VALUE            output-set COLUMN VALUE (a column of BusinessEntity)
//! input-set NAME VALUE        output-id ID (the id that a Create answers with)
//! write DIRECTORY PATH TEXT   read DIRECTORY PATH        remove-file DIRECTORY PATH
//! list DIRECTORY              http METHOD URL TEXT       http-secret URL SECRET
//! trace TEXT                  throw TEXT                 throw-status STATUS TEXT
//! equal TEXT TEXT             (throws when they differ)
//! return-if offline|playback|deep|server
//! panic TEXT                  loop                       grow
//! ```
//!
//! A VALUE is `null`, or `TYPE:TEXT` with a type of s, i, l, m, o, b, r (`r:TABLE:ID`). Text may
//! hold `{id} {user} {depth} {guid} {key:K} {random} {now} {server-now} {tx} {stage} {pre:ALIAS:COL}
//! {post:ALIAS:COL} {target:COL} {target-is} {shared:NAME} {parent:NAME} {tag} {offline} {playback} {got}`;
//! `~` stands for a space. It never runs outside tests.

use offstage_sdk::{
    Context, Directory, Entity, EntityReference, Guid, HttpRequest, Money, OptionValue, Parameter,
    PluginError, Query, Request, Value, column, keyed_guid, new_guid, now, plugin, random,
    server_now,
};

/// Runs the step's configuration.
///
/// # Errors
/// What the script throws, or what a request fails with.
#[plugin(
    type = "test.Script",
    step(key = "script-idle", message = "Create", table = "letter", stage = PostOperation, deployment = Both),
    request(
        table = "*", verbs(create, read, update, delete),
        columns("*", "ownerid", "owningbusinessunit", "statecode", "statuscode"),
        reason = "Does whatever a test says.",
    ),
    request(message = "*", reason = "Does whatever a test says."),
    request(impersonate = "*", reason = "Does whatever a test says."),
    request(directory = "shared", access(read, write), reason = "Does whatever a test says."),
    request(directory = "notes", access(read, write), reason = "Does whatever a test says."),
    request(directory = "other", access(read), reason = "Does whatever a test says."),
    request(http = "https://hooks.example.com", reason = "Does whatever a test says."),
    request(http = "https://other.example.com", reason = "Does whatever a test says."),
    request(secret = "hooks-token", reason = "Does whatever a test says."),
)]
pub fn script(context: &mut Context) -> Result<(), PluginError> {
    let lines = context.configuration.clone();
    let mut got = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(line) = line.strip_prefix("catch ") {
            // The point is to go on.
            drop(run(context, line, &mut got));
        } else if !run(context, line, &mut got)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Runs one command; `false` ends the script.
fn run(context: &mut Context, line: &str, got: &mut String) -> Result<bool, PluginError> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
    match words.as_slice() {
        ["set", column, value] => {
            let value = parse(context, value, got)?;
            context.target_mut()?.set(column, value);
        }
        ["touch", column] => {
            let value = context.target()?.get(column).cloned().unwrap_or_default();
            context.target_mut()?.set(column, value);
        }
        ["remove", column] => context.target_mut()?.remove(column),
        ["retarget", table] => {
            let other = Entity::with_id(*table, context.user_id);
            context.set_input("Target", other);
        }
        ["create", table, columns @ ..] => {
            let mut entity = Entity::new(*table);
            for pair in columns {
                let (column, value) = pair.split_once('=').ok_or_else(|| bad(line))?;
                let value = parse(context, value, got)?;
                if let ("id", Value::Text(id)) = (column, &value) {
                    entity.id = Some(guid(id)?);
                } else {
                    entity.set(column, value);
                }
            }
            let id = context.service().create(entity)?;
            *got = id.to_string();
        }
        ["update", table, id, columns @ ..] => {
            let id = guid(&expand(context, id, got)?)?;
            let mut entity = Entity::with_id(*table, id);
            for pair in columns {
                let (column, value) = pair.split_once('=').ok_or_else(|| bad(line))?;
                entity.set(column, parse(context, value, got)?);
            }
            context.service().update(entity)?;
        }
        ["delete", table, id] => {
            let id = guid(&expand(context, id, got)?)?;
            context.service().delete(&EntityReference::new(*table, id))?;
        }
        ["get", table, id, column] => {
            let id = guid(&expand(context, id, got)?)?;
            let row = context.service().retrieve(&EntityReference::new(*table, id), [*column])?;
            *got = row.get(column).map(text).unwrap_or_default();
        }
        ["write", directory, path, text] => {
            let (path, text) = (expand(context, path, got)?, expand(context, text, got)?);
            Directory::named(*directory).write(&path, text)?;
        }
        ["read", directory, path] => {
            let contents = Directory::named(*directory).read(path)?;
            *got = String::from_utf8_lossy(&contents).into_owned();
        }
        ["remove-file", directory, path] => Directory::named(*directory).remove(path)?,
        ["list", directory] => {
            let entries = Directory::named(*directory).list()?;
            let names: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
            *got = names.join(",");
        }
        ["http", method, url, body] => {
            let body = expand(context, body, got)?;
            let id = HttpRequest::new(*method, *url).body(body).enqueue()?;
            *got = id.to_string();
        }
        ["http-secret", url, secret] => {
            let request = HttpRequest::post(*url);
            let id = request.secret_header("Authorization", "Bearer ", *secret).enqueue()?;
            *got = id.to_string();
        }
        ["upsert" | "assign" | "state" | "link" | "unlink" | "send" | "query" | "top", ..] => {
            send(context, &words, line, got)?;
        }
        ["share", name, value] => {
            let value = parse(context, value, got)?;
            context.set_shared_variable(name, value);
        }
        ["output-set", column, value] => {
            let value = parse(context, value, got)?;
            if let Some(Parameter::Entity(row)) = context.output_parameters.get("BusinessEntity") {
                let mut row = row.clone();
                row.set(column, value);
                context.set_output("BusinessEntity", row);
            }
        }
        ["trace", ..] => {
            let text = expand(context, rest, got)?;
            context.trace(text);
        }
        ["input-set", name, value] => {
            let value = parse(context, value, got)?;
            context.set_input(name, value);
        }
        ["output-id", id] => {
            let id = guid(&expand(context, id, got)?)?;
            context.set_output("id", Value::Guid(id));
        }
        ["equal", one, other] => {
            let (one, other) = (expand(context, one, got)?, expand(context, other, got)?);
            if one != other {
                return Err(PluginError::new(format!("'{one}' is not '{other}'")));
            }
        }
        ["throw", ..] => return Err(PluginError::new(expand(context, rest, got)?)),
        ["throw-status", status, ..] => {
            let status = status.parse().map_err(|_| bad(line))?;
            return Err(PluginError::new(rest).with_status(status));
        }
        ["return-if", when] => return Ok(!holds(context, when)),
        ["panic", ..] => panic!("{rest}"),
        ["loop"] => loop {
            std::hint::black_box(());
        },
        ["grow"] => {
            let mut blocks = Vec::new();
            loop {
                blocks.push(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        }
        _ => return Err(bad(line)),
    }
    Ok(true)
}

/// The commands that send messages beyond create, update, delete and retrieve.
fn send(
    context: &Context,
    words: &[&str],
    line: &str,
    got: &mut String,
) -> Result<(), PluginError> {
    let service = context.service();
    let row = |table: &str, id: &str| -> Result<EntityReference, PluginError> {
        Ok(EntityReference::new(table, guid(&expand(context, id, "")?)?))
    };
    let small = |text: &str| text.parse::<i32>().map_err(|_| bad(line));
    match words {
        ["upsert", table, id, columns @ ..] => {
            let mut entity = Entity::with_id(*table, row(table, id)?.id);
            for pair in columns {
                let (column, value) = pair.split_once('=').ok_or_else(|| bad(line))?;
                entity.set(column, parse(context, value, got)?);
            }
            service.upsert(entity)?;
        }
        ["assign", table, id, user] => {
            service.assign(&row(table, id)?, &row("systemuser", user)?)?;
        }
        ["state", table, id, state, status] => {
            let (state, status) = (OptionValue(small(state)?), OptionValue(small(status)?));
            service.set_state(&row(table, id)?, state, status)?;
        }
        ["link", table, id, relationship, other, other_id] => {
            service.associate(&row(table, id)?, relationship, vec![row(other, other_id)?])?;
        }
        ["unlink", table, id, relationship, other, other_id] => {
            service.disassociate(&row(table, id)?, relationship, vec![row(other, other_id)?])?;
        }
        ["send", message] => drop(service.execute(Request::new(*message))?),
        ["query", table, columns, condition, order] => {
            let mut query = Query::new(*table);
            if *columns != "*" {
                query = query.columns(columns.split(',').map(str::to_owned).collect::<Vec<_>>());
            }
            if let Some((path, value)) = condition.split_once('=') {
                let value = parse(context, value, got)?;
                query = query.filter(match path.split_once('/') {
                    Some((lookup, name)) => column(name).through([lookup]).equals(value),
                    None => column(path).equals(value),
                });
            }
            if *order != "-" {
                query = query.order_by(order);
            }
            *got = service.retrieve_multiple(query)?.entities.len().to_string();
        }
        ["top", table, name, rows] => {
            let rows = rows.parse().map_err(|_| bad(line))?;
            let query = Query::new(*table).columns([*name]).top(rows);
            *got = service.retrieve_multiple(query)?.entities.len().to_string();
        }
        _ => return Err(bad(line)),
    }
    Ok(())
}

fn holds(context: &Context, when: &str) -> bool {
    match when {
        "offline" => context.is_executing_offline,
        "server" => !context.is_executing_offline,
        "playback" => context.is_offline_playback(),
        "deep" => context.depth > 1,
        _ => false,
    }
}

fn parse(context: &Context, word: &str, got: &str) -> Result<Value, PluginError> {
    let word = expand(context, word, got)?;
    let Some((kind, text)) = word.split_once(':') else {
        return if word == "null" { Ok(Value::Null) } else { Err(bad(&word)) };
    };
    let number = || text.parse::<i64>().map_err(|_| bad(&word));
    let small = || text.parse::<i32>().map_err(|_| bad(&word));
    Ok(match kind {
        "s" => Value::Text(text.to_owned()),
        "i" => Value::Integer(small()?),
        "l" => Value::BigInt(number()?),
        "m" => Money(text.parse().map_err(|_| bad(&word))?).into(),
        "o" => OptionValue(small()?).into(),
        "b" => Value::Boolean(text == "true"),
        "r" => {
            let (table, id) = text.split_once(':').ok_or_else(|| bad(&word))?;
            EntityReference::new(table, guid(id)?).into()
        }
        _ => return Err(bad(&word)),
    })
}

/// Replaces `{...}` and `~` in a word.
fn expand(context: &Context, word: &str, got: &str) -> Result<String, PluginError> {
    let mut expanded = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| bad(word))?;
        expanded.push_str(before);
        expanded.push_str(&lookup(context, name, got)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded.replace('~', " "))
}

fn lookup(context: &Context, name: &str, got: &str) -> Result<String, PluginError> {
    let parts: Vec<&str> = name.split(':').collect();
    let cell = |entity: &Entity, column: &str| entity.get(column).map(text).unwrap_or_default();
    Ok(match parts.as_slice() {
        ["id"] => context.primary_entity_id.to_string(),
        ["user"] => context.user_id.to_string(),
        ["depth"] => context.depth.to_string(),
        ["guid"] => new_guid().to_string(),
        ["key", key] => keyed_guid(key).to_string(),
        ["random"] => random().to_string(),
        ["now"] => now().as_millis().to_string(),
        ["server-now"] => server_now().as_millis().to_string(),
        ["tx"] => context.is_in_transaction.to_string(),
        ["stage"] => context.stage.to_string(),
        ["offline"] => context.is_executing_offline.to_string(),
        ["playback"] => context.is_offline_playback().to_string(),
        ["got"] => got.to_owned(),
        ["correlation"] => context.correlation_id.to_string(),
        ["target", name] => cell(context.target()?, name),
        ["target-is"] => match context.input_parameters.get("Target") {
            Some(Parameter::Entity(_)) => "a row".to_owned(),
            Some(Parameter::Value(Value::Reference(_))) => "a reference".to_owned(),
            _ => "something else".to_owned(),
        },
        ["pre", alias, name] => cell(context.pre_image(alias)?, name),
        ["post", alias, name] => cell(context.post_image(alias)?, name),
        ["shared", name] => shared(context.shared_variables.get(name)),
        ["parent", name] => {
            let parent = context.parent_context(1);
            parent.map(|p| shared(p.shared_variables.get(name))).unwrap_or_default()
        }
        ["parent-message"] => context.parent_context(1).map(|p| p.message_name).unwrap_or_default(),
        ["parent-correlation"] => {
            let parent = context.parent_context(1);
            parent.map(|p| p.correlation_id.to_string()).unwrap_or_default()
        }
        ["tag"] => shared(context.shared_variables.get("tag")),
        _ => return Err(bad(name)),
    })
}

fn shared(parameter: Option<&Parameter>) -> String {
    match parameter {
        Some(Parameter::Value(value)) => text(value),
        _ => String::new(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        Value::Boolean(v) => v.to_string(),
        Value::Integer(v) | Value::OptionValue(v) => v.to_string(),
        Value::BigInt(v) => v.to_string(),
        Value::Money(v) | Value::Decimal(v) => v.to_string(),
        Value::DateTime(v) => v.as_millis().to_string(),
        Value::Reference(reference) => reference.id.to_string(),
        Value::Guid(id) => id.to_string(),
        other => format!("{other:?}"),
    }
}

fn guid(text: &str) -> Result<Guid, PluginError> {
    text.parse().map_err(|_| bad(text))
}

fn bad(text: &str) -> PluginError {
    PluginError::new(format!("bad script: {text}"))
}

offstage_sdk::export!(package = "test/script", plugins = [script]);
