//! `$filter`: recursive descent.
//!
//! ```text
//! or         = and *( "or" and )
//! and        = unary *( "and" unary )
//! unary      = "not" unary / "(" or ")" / test
//! test       = path operator literal / path "in" "(" literal *( "," literal ) ")"
//!            / function "(" path "," text ")" [ "eq" ( "true" / "false" ) ]
//!            / "Microsoft.Dynamics.CRM.EqualUserId" "(" "PropertyName" "=" text ")"
//! path       = *( lookup "/" ) property
//! ```

use super::literal::literal;
use super::token::{Token, TokenKind, tokens};
use super::{check_length, column_of, invalid_at, placed};
use crate::sql::navigation;
use offstage_model::metadata::{Catalog, Column};
use offstage_model::query::{
    CONDITIONS_MAX, Condition, FILTER_DEPTH_MAX, Filter, IN_VALUES_MAX, Operator, PATH_MAX,
};
use offstage_model::{Fault, Value};

/// Names of the platform's query functions start with this.
const CRM: &str = "Microsoft.Dynamics.CRM.";

/// Reads `$filter` for a table. Literals are typed by the columns that they are compared with.
///
/// # Errors
/// [`offstage_model::code::INVALID_QUERY`] or UNKNOWN_COLUMN, with the position.
pub fn parse_filter(text: &str, catalog: &Catalog, table: &str) -> Result<Filter, Fault> {
    check_length(text, "$filter")?;
    catalog.table(table)?;
    let tokens = tokens(text)?;
    let mut parser = Parser { catalog, table, tokens, next: 0, depth: 0, conditions: 0 };
    let filter = parser.any()?;
    match parser.peek() {
        TokenKind::End => Ok(filter),
        other => Err(parser.expected("'and', 'or' or the end", &other.shown())),
    }
}

struct Parser<'a> {
    catalog: &'a Catalog,
    table: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    conditions: usize,
}

/// A path with the column at its end.
struct Property<'a> {
    path: Vec<String>,
    name: String,
    column: &'a Column,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Filter, Fault> {
        self.nested(|parser| {
            let first = parser.all()?;
            let mut parts = vec![first];
            while parser.take_word("or") {
                parts.push(parser.all()?);
            }
            Ok(single_or(parts, Filter::Any))
        })
    }

    fn all(&mut self) -> Result<Filter, Fault> {
        let first = self.unary()?;
        let mut parts = vec![first];
        while self.take_word("and") {
            parts.push(self.unary()?);
        }
        Ok(single_or(parts, Filter::All))
    }

    fn unary(&mut self) -> Result<Filter, Fault> {
        if self.take_word("not") {
            return self.nested(|parser| Ok(Filter::Not(Box::new(parser.unary()?))));
        }
        if self.take_mark('(') {
            let inner = self.any()?;
            self.need_mark(')')?;
            return Ok(inner);
        }
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            let message = format!("The filter has more than {CONDITIONS_MAX} conditions");
            return Err(invalid_at(self.position(), &message));
        }
        self.test()
    }

    /// Keeps the recursion, and the filter that comes of it, within the limit.
    fn nested(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<Filter, Fault>,
    ) -> Result<Filter, Fault> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH_MAX {
            let message = format!("The filter is nested deeper than {FILTER_DEPTH_MAX}");
            return Err(invalid_at(self.position(), &message));
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn test(&mut self) -> Result<Filter, Fault> {
        let position = self.position();
        let word = self.word("a column or function")?;
        if self.take_mark('(') {
            return self.function(&word, position);
        }
        let property = self.property(word, position)?;
        let position = self.position();
        let operator = self.word("a comparison such as eq")?;
        if operator == "in" {
            return self.within(property);
        }
        let operator = match operator.as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "gt" => Operator::GreaterThan,
            "ge" => Operator::GreaterEqual,
            "lt" => Operator::LessThan,
            "le" => Operator::LessEqual,
            other => {
                let message = format!("'{}' is not a comparison", short(other));
                return Err(invalid_at(position, &message)
                    .hint("Comparisons are eq, ne, gt, ge, lt, le and in."));
            }
        };
        let literal_position = self.position();
        let value = self.literal(&property)?;
        let (operator, values) = match (operator, value) {
            (Operator::Equal, Value::Null) => (Operator::IsNull, vec![]),
            (Operator::NotEqual, Value::Null) => (Operator::IsNotNull, vec![]),
            (_, Value::Null) => {
                return Err(invalid_at(literal_position, "null is compared with eq or ne only"));
            }
            (operator, value) => (operator, vec![value]),
        };
        Ok(condition(property, operator, values))
    }

    fn within(&mut self, property: Property<'a>) -> Result<Filter, Fault> {
        self.need_mark('(')?;
        let mut values = Vec::new();
        if !self.take_mark(')') {
            loop {
                values.push(self.literal(&property)?);
                if values.len() > IN_VALUES_MAX {
                    let message = format!("A list has at most {IN_VALUES_MAX} values");
                    return Err(invalid_at(self.position(), &message));
                }
                if !self.take_mark(',') {
                    break;
                }
            }
            self.need_mark(')')?;
        }
        Ok(condition(property, Operator::In, values))
    }

    fn function(&mut self, name: &str, position: usize) -> Result<Filter, Fault> {
        let operator = match name {
            "contains" => Operator::Contains,
            "startswith" => Operator::BeginsWith,
            "endswith" => Operator::EndsWith,
            _ => return self.crm_function(name, position),
        };
        let property_position = self.position();
        let word = self.word("a column")?;
        let property = self.property(word, property_position)?;
        self.need_mark(',')?;
        let part_position = self.position();
        if !property.column.kind.is_text() {
            let message = format!("'{}' is not text", property.name);
            return Err(invalid_at(property_position, &message));
        }
        let part = self.literal(&property)?;
        if part.is_null() {
            return Err(invalid_at(part_position, "Expected a text in quotes"));
        }
        self.need_mark(')')?;
        let test = condition(property, operator, vec![part]);
        Ok(if self.compared_with_false()? { Filter::Not(Box::new(test)) } else { test })
    }

    /// `contains(…) eq true`, as some clients write it.
    fn compared_with_false(&mut self) -> Result<bool, Fault> {
        let negative = match self.peek() {
            TokenKind::Word(word) if word == "eq" => false,
            TokenKind::Word(word) if word == "ne" => true,
            _ => return Ok(false),
        };
        self.next += 1;
        let position = self.position();
        match self.word("true or false")?.as_str() {
            "true" => Ok(negative),
            "false" => Ok(!negative),
            _ => Err(invalid_at(position, "Expected true or false")),
        }
    }

    fn crm_function(&mut self, name: &str, position: usize) -> Result<Filter, Fault> {
        let operator = match name.strip_prefix(CRM) {
            Some("EqualUserId") => Operator::EqualUserId,
            Some("NotEqualUserId") => Operator::NotEqualUserId,
            _ => {
                let message = format!("The function '{}' is not available", short(name));
                return Err(invalid_at(position, &message).hint(
                    "Functions are contains, startswith, endswith, \
                     Microsoft.Dynamics.CRM.EqualUserId and NotEqualUserId.",
                ));
            }
        };
        let parameter_position = self.position();
        if self.word("PropertyName")? != "PropertyName" {
            return Err(invalid_at(parameter_position, "Expected PropertyName"));
        }
        self.need_mark('=')?;
        let position = self.position();
        let TokenKind::Text(property) = self.peek().clone() else {
            return Err(self.expected("the name of a column in quotes", &self.peek().shown()));
        };
        self.next += 1;
        self.need_mark(')')?;
        let name = column_of(self.catalog, self.table, &property, position)?;
        let column = self.catalog.column(self.table, &name)?;
        Ok(condition(Property { path: Vec::new(), name, column }, operator, Vec::new()))
    }

    /// The rest of a path after its first word.
    fn property(&mut self, first: String, position: usize) -> Result<Property<'a>, Fault> {
        let (mut table, mut segment, mut at) = (self.table, first, position);
        let mut path = Vec::new();
        while self.take_mark('/') {
            let target =
                navigation(self.catalog, table, &segment).map_err(|fault| placed(fault, at))?;
            // The name of the target as the catalog has it, which outlives the segment.
            table = self.catalog.table(target.1).map(|t| t.name.as_str())?;
            path.push(segment);
            if path.len() > PATH_MAX {
                let message = format!("A path follows at most {PATH_MAX} lookups");
                return Err(invalid_at(at, &message));
            }
            at = self.position();
            segment = self.word("a column")?;
        }
        let name = column_of(self.catalog, table, &segment, at)?;
        let column = self.catalog.column(table, &name)?;
        Ok(Property { path, name, column })
    }

    fn literal(&mut self, property: &Property<'_>) -> Result<Value, Fault> {
        let token = &self.tokens[self.next];
        let value = literal(&property.name, property.column, token)?;
        self.next += 1;
        Ok(value)
    }

    // The last token is End and is never passed, so `next` is always in range.
    fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn position(&self) -> usize {
        self.tokens[self.next].position
    }

    fn word(&mut self, wanted: &str) -> Result<String, Fault> {
        match self.peek().clone() {
            TokenKind::Word(word) => {
                self.next += 1;
                Ok(word)
            }
            other => Err(self.expected(wanted, &other.shown())),
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Word(w) if w == word);
        self.next += usize::from(found);
        found
    }

    fn take_mark(&mut self, mark: char) -> bool {
        let found = *self.peek() == TokenKind::Mark(mark);
        self.next += usize::from(found);
        found
    }

    fn need_mark(&mut self, mark: char) -> Result<(), Fault> {
        if self.take_mark(mark) {
            return Ok(());
        }
        Err(self.expected(&format!("'{mark}'"), &self.peek().shown()))
    }

    fn expected(&self, wanted: &str, found: &str) -> Fault {
        invalid_at(self.position(), &format!("Expected {wanted}, not {found}"))
    }
}

fn condition(property: Property<'_>, operator: Operator, values: Vec<Value>) -> Filter {
    Filter::Condition(Condition { path: property.path, column: property.name, operator, values })
}

fn single_or(mut parts: Vec<Filter>, group: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            group(parts)
        }
        None => group(parts),
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
