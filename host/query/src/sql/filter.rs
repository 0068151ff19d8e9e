//! Filter trees to boolean SQL expressions. Every expression is in parentheses or an atom, and the
//! tree keeps two-valued logic: what is not true is false.

use super::{Dialect, Scope, condition, invalid};
use crate::SqlValue;
use offstage_model::Fault;
use offstage_model::metadata::{Catalog, Table};
use offstage_model::query::{CONDITIONS_MAX, FILTER_DEPTH_MAX, Filter};

/// What one compilation collects.
pub(super) struct Compiler<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) scope: Scope,
    pub(super) dialect: Dialect,
    pub(super) params: Vec<SqlValue>,
    aliases: usize,
    conditions: usize,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(catalog: &'a Catalog, scope: Scope, dialect: Dialect) -> Self {
        Self { catalog, scope, dialect, params: Vec::new(), aliases: 0, conditions: 0 }
    }

    /// Adds a parameter and returns its placeholder.
    pub(super) fn bind(&mut self, value: SqlValue) -> String {
        self.params.push(value);
        self.dialect.placeholder(self.params.len())
    }

    /// A fresh alias for a joined table.
    pub(super) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("p{}", self.aliases)
    }

    pub(super) fn optional(
        &mut self,
        table: &Table,
        alias: &str,
        filter: Option<&Filter>,
    ) -> Result<Vec<String>, Fault> {
        filter
            .map(|f| self.filter(table, alias, f))
            .transpose()
            .map(|sql| sql.into_iter().collect())
    }

    pub(super) fn filter(
        &mut self,
        table: &Table,
        alias: &str,
        filter: &Filter,
    ) -> Result<String, Fault> {
        self.part(table, alias, filter, 1)
    }

    fn part(
        &mut self,
        table: &Table,
        alias: &str,
        filter: &Filter,
        depth: usize,
    ) -> Result<String, Fault> {
        if depth > FILTER_DEPTH_MAX {
            return Err(invalid(format!("The filter is nested deeper than {FILTER_DEPTH_MAX}.")));
        }
        match filter {
            Filter::All(parts) => self.joined(table, alias, (parts, " AND ", "1=1"), depth),
            Filter::Any(parts) => self.joined(table, alias, (parts, " OR ", "1=0"), depth),
            Filter::Not(part) => {
                let inner = self.part(table, alias, part, depth + 1)?;
                // NOT of an unknown comparison is unknown in SQL and true here.
                Ok(format!("({inner} IS NOT TRUE)"))
            }
            Filter::Condition(condition) => {
                self.conditions += 1;
                if self.conditions > CONDITIONS_MAX {
                    let message = format!("The filter has more than {CONDITIONS_MAX} conditions.");
                    return Err(invalid(message));
                }
                condition::compile(self, table, alias, condition)
            }
        }
    }

    fn joined(
        &mut self,
        table: &Table,
        alias: &str,
        (parts, operator, empty): (&[Filter], &str, &str),
        depth: usize,
    ) -> Result<String, Fault> {
        if parts.is_empty() {
            return Ok(format!("({empty})"));
        }
        let parts: Vec<String> = parts
            .iter()
            .map(|part| self.part(table, alias, part, depth + 1))
            .collect::<Result<_, _>>()?;
        Ok(format!("({})", parts.join(operator)))
    }
}
