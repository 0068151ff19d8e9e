//! Compiled SQL: its text, its limits, and that no user byte is ever in it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use offstage_model::query::{Condition, Filter, Operator, Order, Query};
use offstage_model::{Catalog, Decimal, Uuid, Value};
use offstage_query::sql::{
    compile, compile_count, compile_ids, compile_membership, compile_predicate,
};
use offstage_query::{Dialect, Scope, SqlValue};

const SCOPE: Scope = Scope { user: Uuid::from_u128(5) };

fn predicate(filter: &Filter, dialect: Dialect) -> (String, Vec<SqlValue>) {
    let catalog = Catalog::base();
    let mut params = Vec::new();
    let sql = compile_predicate("contact", filter, (&catalog, &SCOPE, dialect), "r", &mut params);
    (sql.unwrap(), params)
}

#[test]
fn the_same_query_is_written_for_both_databases() {
    let text = || Filter::eq("fullname", Value::text("X"));
    let no = |c: &str| Filter::condition(c, Operator::NotEqual, vec![Value::Integer(1)]);
    let through = |operator, values| {
        Filter::Condition(Condition {
            path: vec!["parentcustomerid_account".into()],
            column: "name".into(),
            operator,
            values,
        })
    };
    let cases = [
        (text(), r#"(r."fullname" = ?1)"#, r#"(lower(r."fullname") = lower($1))"#),
        (
            Filter::Not(Box::new(text())),
            r#"((r."fullname" = ?1) IS NOT TRUE)"#,
            r#"((lower(r."fullname") = lower($1)) IS NOT TRUE)"#,
        ),
        (
            no("numberofchildren"),
            r#"((r."numberofchildren" <> ?1) OR (r."numberofchildren" IS NULL))"#,
            r#"((r."numberofchildren" <> $1) OR (r."numberofchildren" IS NULL))"#,
        ),
        (
            Filter::condition("fullname", Operator::EndsWith, vec![Value::text("X")]),
            r#"offstage_ends(r."fullname", ?1)"#,
            r#"(right(lower(r."fullname"), length(lower($1))) = lower($1))"#,
        ),
        (
            through(Operator::IsNull, vec![]),
            r#"(NOT EXISTS (SELECT 1 FROM "t_account" AS p1 WHERE p1."accountid" = r."parentcustomerid" AND r."parentcustomerid__table" = ?1 AND (p1."name" IS NOT NULL)))"#,
            r#"(NOT EXISTS (SELECT 1 FROM "t_account" AS p1 WHERE p1."accountid" = r."parentcustomerid" AND r."parentcustomerid__table" = $1 AND (p1."name" IS NOT NULL)))"#,
        ),
        (Filter::All(vec![]), "(1=1)", "(1=1)"),
        (Filter::Any(vec![]), "(1=0)", "(1=0)"),
    ];
    for (filter, sqlite, postgres) in cases {
        assert_eq!(predicate(&filter, Dialect::Sqlite).0, sqlite);
        assert_eq!(predicate(&filter, Dialect::Postgres).0, postgres);
    }
    let catalog = Catalog::base();
    let query = Query {
        columns: Some(vec!["name".into()]),
        orders: vec![Order { column: "name".into(), descending: true }],
        page_size: Some(10),
        ..Query::all("account")
    };
    let statement = compile(&query, &catalog, &SCOPE, Dialect::Postgres).unwrap();
    assert_eq!(
        statement.sql,
        r#"SELECT a0."accountid", a0.os_version, a0."name" FROM "t_account" AS a0 ORDER BY lower(a0."name") DESC NULLS LAST, a0."accountid" LIMIT $1"#
    );
    assert_eq!(statement.params, [SqlValue::Integer(11)]);
}

/// Values that would break out of SQL text, were they ever in it.
const HOSTILE: &[&str] = &[
    "zq'zq",
    "zq\"zq",
    "zq;--zq",
    "zq') OR 1=1 --",
    "zq%_zq",
    "zq\\zq",
    "zq?1zq",
    "zq$1zq",
    "zq\u{0}zq",
    "zq\u{2019}zq",
    "zq/*zq*/",
    "zq`zq",
    "zq]zq[",
];

#[test]
fn no_user_byte_is_in_the_sql_text() {
    let catalog = Catalog::base();
    for hostile in HOSTILE {
        let value = || Value::text(*hostile);
        let of = |operator, values| Filter::condition("fullname", operator, values);
        let parts = vec![
            of(Operator::Equal, vec![value()]),
            of(Operator::NotEqual, vec![value()]),
            of(Operator::In, vec![value(), value()]),
            of(Operator::NotIn, vec![value(), Value::Null]),
            of(Operator::Contains, vec![value()]),
            of(Operator::BeginsWith, vec![value()]),
            of(Operator::LessThan, vec![value()]),
            Filter::eq("parentcustomerid", Value::reference(*hostile, Uuid::nil())),
            Filter::Condition(Condition {
                path: vec!["parentcustomerid_contact".into(), "ownerid_systemuser".into()],
                column: "fullname".into(),
                operator: Operator::EndsWith,
                values: vec![value()],
            }),
        ];
        let filter = Filter::Not(Box::new(Filter::Any(parts)));
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let query = Query::matching("contact", filter.clone());
            let some = Some(&filter);
            let statements = [
                compile(&query, &catalog, &SCOPE, dialect).unwrap(),
                compile_count(&query, &catalog, &SCOPE, dialect, 9).unwrap(),
                compile_ids("contact", some, &catalog, &SCOPE, dialect).unwrap(),
                compile_membership("contact", Uuid::nil(), some, &catalog, &SCOPE, dialect)
                    .unwrap(),
            ];
            for statement in statements {
                assert!(!statement.sql.contains("zq"), "{}", statement.sql);
                assert!(statement.sql.is_ascii());
                let bound =
                    statement.params.iter().filter(|p| p.as_text() == Some(*hostile)).count();
                assert_eq!(bound, 9, "{hostile}");
            }
        }
        // As a name, a hostile text is refused; it never gets as far as SQL.
        let in_name = [
            Query::all(*hostile),
            Query { columns: Some(vec![(*hostile).into()]), ..Query::all("contact") },
            Query {
                orders: vec![Order { column: (*hostile).into(), descending: false }],
                ..Query::all("contact")
            },
            Query::matching("contact", Filter::eq(*hostile, Value::Null)),
            Query::matching(
                "contact",
                Filter::Condition(Condition {
                    path: vec![(*hostile).into()],
                    column: "name".into(),
                    operator: Operator::IsNull,
                    values: vec![],
                }),
            ),
            Query { paging_cookie: Some((*hostile).into()), ..Query::all("contact") },
        ];
        for query in in_name {
            compile(&query, &catalog, &SCOPE, Dialect::Sqlite).unwrap_err();
        }
    }
}

#[test]
fn equal_shapes_give_equal_text_and_values_do_not_matter() {
    let one = predicate(&Filter::eq("fullname", Value::text("a")), Dialect::Sqlite);
    let two = predicate(&Filter::eq("fullname", Value::text("b")), Dialect::Sqlite);
    assert_eq!(one.0, two.0);
    assert_ne!(one.1, two.1);
}

#[test]
fn limits_and_misfits_are_refused() {
    let catalog = Catalog::base();
    let mut deep = Filter::eq("fullname", Value::text("x"));
    for _ in 0..16 {
        deep = Filter::Not(Box::new(deep));
    }
    let of = |column: &str, operator, values| Filter::condition(column, operator, values);
    let money = || Value::Money(Decimal::new(1, 0));
    let cases = [
        (deep, "The filter is nested deeper than 16."),
        (
            Filter::All(vec![of("fullname", Operator::IsNull, vec![]); 501]),
            "The filter has more than 500 conditions.",
        ),
        (
            of("fullname", Operator::In, vec![Value::Null; 2001]),
            "The condition on 'fullname' takes at most 2000 values, not 2001.",
        ),
        (
            of("fullname", Operator::Equal, vec![]),
            "The condition on 'fullname' takes one value, not 0.",
        ),
        (
            of("fullname", Operator::Equal, vec![money()]),
            "'contact.fullname' is of type string and cannot be compared with '1'.",
        ),
        (
            of("parentcustomerid", Operator::GreaterThan, vec![Value::Guid(Uuid::nil())]),
            "'parentcustomerid' cannot be compared with > that value.",
        ),
        (
            of("numberofchildren", Operator::Contains, vec![Value::Integer(1)]),
            "'numberofchildren' is not text; it cannot be searched in.",
        ),
        (of("fullname", Operator::EqualUserId, vec![]), "'fullname' does not refer to users."),
    ];
    for (filter, expected) in cases {
        let query = Query::matching("contact", filter);
        let fault = compile(&query, &catalog, &SCOPE, Dialect::Sqlite).unwrap_err();
        assert_eq!(fault.message, expected);
    }
    let order = |column: &str| Order { column: column.into(), descending: false };
    let many = Query { orders: vec![order("fullname"); 9], ..Query::all("contact") };
    compile(&many, &catalog, &SCOPE, Dialect::Sqlite).unwrap_err();
    let image = Query { orders: vec![order("entityimage")], ..Query::all("contact") };
    compile(&image, &catalog, &SCOPE, Dialect::Sqlite).unwrap_err();
}
