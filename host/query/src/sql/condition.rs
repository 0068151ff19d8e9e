//! One comparison to SQL. Null matches the negative operators and never an ordering one
//! (cases.md, contested 1); a path to a parent becomes EXISTS.

use super::filter::Compiler;
use super::operand::operand;
use super::{Dialect, invalid};
use crate::SqlValue;
use crate::physical::{TARGET_SUFFIX, quoted, table_name, target_column};
use offstage_model::metadata::{Catalog, Column, ColumnType, Table};
use offstage_model::query::{Condition, IN_VALUES_MAX, Operator, PATH_MAX};
use offstage_model::{Fault, Value};

/// Compiles a condition on the row `alias` of `table`.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    table: &Table,
    alias: &str,
    condition: &Condition,
) -> Result<String, Fault> {
    if condition.path.len() > PATH_MAX {
        return Err(invalid(format!("A path follows at most {PATH_MAX} lookups.")));
    }
    match condition.path.as_slice() {
        [] => on_row(compiler, table, alias, condition, condition.operator),
        path => {
            // A missing parent counts as null: a negative operator is "no parent that matches the
            // positive one".
            let (operator, negated) = positive(condition.operator);
            let exists = through(compiler, table, alias, path, condition, operator)?;
            Ok(if negated { format!("(NOT {exists})") } else { exists })
        }
    }
}

fn positive(operator: Operator) -> (Operator, bool) {
    match operator {
        Operator::NotEqual => (Operator::Equal, true),
        Operator::NotIn => (Operator::In, true),
        Operator::IsNull => (Operator::IsNotNull, true),
        Operator::NotEqualUserId => (Operator::EqualUserId, true),
        other => (other, false),
    }
}

fn through(
    compiler: &mut Compiler<'_>,
    table: &Table,
    alias: &str,
    path: &[String],
    condition: &Condition,
    operator: Operator,
) -> Result<String, Fault> {
    let Some((segment, rest)) = path.split_first() else {
        return on_row(compiler, table, alias, condition, operator);
    };
    let (lookup, target) = navigation(compiler.catalog, &table.name, segment)?;
    let column = compiler.catalog.column(&table.name, lookup)?;
    let parent = compiler.catalog.table(target)?;
    let inner_alias = compiler.alias();
    let mut on =
        format!("{inner_alias}.{} = {alias}.{}", quoted(&parent.primary_id), quoted(lookup));
    if target_column(lookup, column).is_some() {
        let target = compiler.bind(SqlValue::text(target));
        on.push_str(&format!(
            " AND {alias}.{} = {target}",
            quoted(&format!("{lookup}{TARGET_SUFFIX}"))
        ));
    }
    let inner = through(compiler, parent, &inner_alias, rest, condition, operator)?;
    Ok(format!(
        "EXISTS (SELECT 1 FROM {} AS {inner_alias} WHERE {on} AND {inner})",
        table_name(&parent.name)
    ))
}

/// The lookup column and the target table that a path segment means: a lookup by its logical name,
/// or `<lookup>_<target>` for one with more than one target.
///
/// # Errors
/// A segment that is no lookup, or one that leaves the target open.
pub fn navigation<'a>(
    catalog: &'a Catalog,
    table: &str,
    segment: &'a str,
) -> Result<(&'a str, &'a str), Fault> {
    let columns = &catalog.table(table)?.columns;
    if let Some(column) = columns.get(segment) {
        return match column.targets.as_slice() {
            [target] => Ok((segment, target)),
            [] => Err(invalid(format!("'{segment}' is not a lookup of {table}."))),
            [first, ..] => Err(invalid(format!("'{segment}' refers to more than one table."))
                .hint(format!("Write '{segment}_{first}' to follow it to {first}."))),
        };
    }
    for (split, _) in segment.char_indices().filter(|(_, c)| *c == '_') {
        let (lookup, target) = (&segment[..split], &segment[split + 1..]);
        let fits = columns.get(lookup).is_some_and(|c| c.targets.iter().any(|t| t == target));
        if fits {
            return Ok((lookup, target));
        }
    }
    Err(Fault::unknown_column(table, segment))
}

fn on_row(
    compiler: &mut Compiler<'_>,
    table: &Table,
    alias: &str,
    condition: &Condition,
    operator: Operator,
) -> Result<String, Fault> {
    let name = &condition.column;
    let column = table.column(name).ok_or_else(|| Fault::unknown_column(&table.name, name))?;
    let sql_name = format!("{alias}.{}", quoted(name));
    check_arity(name, operator, condition.values.len())?;
    let value = condition.values.first().unwrap_or(&Value::Null);
    let target = Target { table, name, column, sql: sql_name };
    match operator {
        Operator::IsNull => Ok(target.is_null()),
        Operator::IsNotNull => Ok(target.is_not_null()),
        Operator::Equal | Operator::NotEqual if value.is_null() => {
            Ok(if operator == Operator::Equal { target.is_null() } else { target.is_not_null() })
        }
        Operator::Equal => target.compared(compiler, "=", value),
        Operator::NotEqual => {
            let differs = target.compared(compiler, "<>", value)?;
            Ok(format!("({differs} OR {})", target.is_null()))
        }
        Operator::GreaterThan => target.ordered(compiler, ">", value),
        Operator::GreaterEqual => target.ordered(compiler, ">=", value),
        Operator::LessThan => target.ordered(compiler, "<", value),
        Operator::LessEqual => target.ordered(compiler, "<=", value),
        Operator::In => target.within(compiler, &condition.values),
        Operator::NotIn => {
            let inside = target.within(compiler, &condition.values)?;
            Ok(format!("({inside} IS NOT TRUE)"))
        }
        Operator::Contains | Operator::BeginsWith | Operator::EndsWith => {
            target.text_match(compiler, operator, value)
        }
        Operator::EqualUserId | Operator::NotEqualUserId => {
            target.is_user(compiler, operator == Operator::NotEqualUserId)
        }
    }
}

fn check_arity(name: &str, operator: Operator, count: usize) -> Result<(), Fault> {
    let (ok, wanted) = match operator {
        Operator::IsNull
        | Operator::IsNotNull
        | Operator::EqualUserId
        | Operator::NotEqualUserId => (count == 0, "no value"),
        Operator::In | Operator::NotIn => (count <= IN_VALUES_MAX, "at most 2000 values"),
        _ => (count == 1, "one value"),
    };
    if ok {
        return Ok(());
    }
    Err(invalid(format!("The condition on '{name}' takes {wanted}, not {count}.")))
}

/// The column that a condition compares.
struct Target<'a> {
    table: &'a Table,
    name: &'a str,
    column: &'a Column,
    sql: String,
}

impl Target<'_> {
    fn is_null(&self) -> String {
        format!("({} IS NULL)", self.sql)
    }

    fn is_not_null(&self) -> String {
        format!("({} IS NOT NULL)", self.sql)
    }

    fn bound(&self, compiler: &mut Compiler<'_>, value: &Value) -> Result<String, Fault> {
        let value = operand(&self.table.name, self.name, self.column, value)?;
        Ok(compiler.bind(value))
    }

    fn compared(&self, c: &mut Compiler<'_>, sign: &str, value: &Value) -> Result<String, Fault> {
        let placeholder = self.bound(c, value)?;
        if self.column.kind.is_text() && c.dialect == Dialect::Postgres {
            return Ok(format!("(lower({}) {sign} lower({placeholder}))", self.sql));
        }
        Ok(format!("({} {sign} {placeholder})", self.sql))
    }

    fn ordered(&self, c: &mut Compiler<'_>, sign: &str, value: &Value) -> Result<String, Fault> {
        let no_order = matches!(
            self.column.kind,
            ColumnType::Image | ColumnType::File | ColumnType::MultiSelect | ColumnType::Boolean
        ) || self.column.kind.is_reference();
        if no_order || value.is_null() {
            let name = self.name;
            return Err(invalid(format!("'{name}' cannot be compared with {sign} that value.")));
        }
        self.compared(c, sign, value)
    }

    fn within(&self, c: &mut Compiler<'_>, values: &[Value]) -> Result<String, Fault> {
        let mut list = Vec::with_capacity(values.len());
        for value in values.iter().filter(|v| !v.is_null()) {
            let placeholder = self.bound(c, value)?;
            let folded = self.column.kind.is_text() && c.dialect == Dialect::Postgres;
            list.push(if folded { format!("lower({placeholder})") } else { placeholder });
        }
        let folded = self.column.kind.is_text() && c.dialect == Dialect::Postgres;
        let left = if folded { format!("lower({})", self.sql) } else { self.sql.clone() };
        let inside = if list.is_empty() {
            "(1=0)".to_owned()
        } else {
            format!("({left} IN ({}))", list.join(", "))
        };
        let with_null = values.iter().any(Value::is_null);
        Ok(if with_null { format!("({inside} OR {})", self.is_null()) } else { inside })
    }

    fn text_match(
        &self,
        c: &mut Compiler<'_>,
        operator: Operator,
        value: &Value,
    ) -> Result<String, Fault> {
        if self.column.kind == ColumnType::MultiSelect && operator == Operator::Contains {
            return self.any_option(c, value);
        }
        if !self.column.kind.is_text() {
            let name = self.name;
            return Err(invalid(format!("'{name}' is not text; it cannot be searched in.")));
        }
        let part = self.bound(c, value)?;
        let column = &self.sql;
        Ok(match (c.dialect, operator) {
            (Dialect::Sqlite, Operator::BeginsWith) => format!("offstage_begins({column}, {part})"),
            (Dialect::Sqlite, Operator::EndsWith) => format!("offstage_ends({column}, {part})"),
            (Dialect::Sqlite, _) => format!("offstage_contains({column}, {part})"),
            (Dialect::Postgres, Operator::BeginsWith) => {
                format!("starts_with(lower({column}), lower({part}))")
            }
            (Dialect::Postgres, Operator::EndsWith) => {
                format!("(right(lower({column}), length(lower({part}))) = lower({part}))")
            }
            (Dialect::Postgres, _) => format!("(strpos(lower({column}), lower({part})) > 0)"),
        })
    }

    /// contain-values: any of the choices is set (case 100).
    fn any_option(&self, c: &mut Compiler<'_>, value: &Value) -> Result<String, Fault> {
        let options = match value {
            Value::Options(options) => options.clone(),
            other => vec![other.as_option().ok_or_else(|| {
                invalid(format!("'{}' is searched for choices, not for '{other}'.", self.name))
            })?],
        };
        let function = if c.dialect == Dialect::Sqlite { "instr" } else { "strpos" };
        let tests: Vec<String> = options
            .iter()
            .map(|option| {
                let part = c.bind(SqlValue::Text(format!(",{option},")));
                format!("{function}({}, {part}) > 0", self.sql)
            })
            .collect();
        Ok(if tests.is_empty() { "(1=0)".to_owned() } else { format!("({})", tests.join(" OR ")) })
    }

    fn is_user(&self, c: &mut Compiler<'_>, negated: bool) -> Result<String, Fault> {
        let fits = self.column.kind == ColumnType::UniqueIdentifier
            || self.column.targets.iter().any(|t| t == "systemuser");
        if !fits {
            return Err(invalid(format!("'{}' does not refer to users.", self.name)));
        }
        let user = c.bind(SqlValue::Guid(c.scope.user));
        Ok(if negated {
            format!("({} <> {user} OR {})", self.sql, self.is_null())
        } else {
            format!("({} = {user})", self.sql)
        })
    }
}
