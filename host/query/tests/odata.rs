//! OData text to the query model: what is read, and what is refused with which words.

use offstage_model::query::{Filter, Operator};
use offstage_model::{Catalog, Fault, code};
use offstage_query::odata::{TEXT_LENGTH_MAX, parse_filter, parse_order, parse_select};

/// A filter in one line, for comparison.
fn shown(filter: &Filter) -> String {
    let list = |parts: &[Filter]| parts.iter().map(shown).collect::<Vec<_>>().join(" ");
    match filter {
        Filter::All(parts) => format!("(all {})", list(parts)),
        Filter::Any(parts) => format!("(any {})", list(parts)),
        Filter::Not(part) => format!("(not {})", shown(part)),
        Filter::Condition(c) => {
            let mut path = c.path.join("/");
            if !path.is_empty() {
                path.push('/');
            }
            let values: Vec<String> = c.values.iter().map(|v| format!("{v:?}")).collect();
            format!("{path}{} {:?} [{}]", c.column, c.operator, values.join(", "))
        }
    }
}

#[test]
fn filters_are_read() {
    let catalog = Catalog::base();
    let cases = [
        ("account", "name eq 'a'", r#"name Equal [Text("a")]"#),
        ("account", "name eq 'it''s'", r#"name Equal [Text("it's")]"#),
        ("account", "name eq null", "name IsNull []"),
        ("account", "name ne null", "name IsNotNull []"),
        (
            "account",
            "name eq 'a' and fax eq 'b' or fax eq 'c'",
            r#"(any (all name Equal [Text("a")] fax Equal [Text("b")]) fax Equal [Text("c")])"#,
        ),
        (
            "account",
            "name eq 'a' and (fax eq 'b' or not fax eq 'c')",
            r#"(all name Equal [Text("a")] (any fax Equal [Text("b")] (not fax Equal [Text("c")])))"#,
        ),
        ("account", "numberofemployees in (1, 2)", "numberofemployees In [Decimal(1), Decimal(2)]"),
        ("account", "revenue gt -1.5e2", "revenue GreaterThan [Decimal(-150)]"),
        ("account", "statecode eq 0", "statecode Equal [Option(0)]"),
        ("account", "creditonhold ne true", "creditonhold NotEqual [Boolean(true)]"),
        (
            "contact",
            "birthdate lt 2000-01-01",
            "birthdate LessThan [DateTime(Timestamp(946684800000))]",
        ),
        (
            "contact",
            "createdon ge '2000-01-01T01:00:00+01:00'",
            "createdon GreaterEqual [DateTime(Timestamp(946684800000))]",
        ),
        (
            "contact",
            "_parentcustomerid_value eq 00000000-0000-0000-0000-000000000001",
            "parentcustomerid Equal [Guid(00000000-0000-0000-0000-000000000001)]",
        ),
        (
            "contact",
            "parentcustomerid_account/primarycontactid/fullname eq 'x'",
            r#"parentcustomerid_account/primarycontactid/fullname Equal [Text("x")]"#,
        ),
        ("contact", "contains(fullname,'x') eq false", r#"(not fullname Contains [Text("x")])"#),
        ("contact", "startswith(fullname,'') eq true", r#"fullname BeginsWith [Text("")]"#),
        (
            "contact",
            "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='_ownerid_value')",
            "ownerid EqualUserId []",
        ),
        (
            "contact",
            "preferredcontactmethods eq '3,1'",
            "preferredcontactmethods Equal [Options([3, 1])]",
        ),
        ("contact", "  fullname\teq\n'x'  ", r#"fullname Equal [Text("x")]"#),
    ];
    for (table, text, expected) in cases {
        let filter = parse_filter(text, &catalog, table).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(shown(&filter), expected, "{text}");
    }
}

#[test]
fn errors_name_the_position() {
    let catalog = Catalog::base();
    let cases = [
        ("", "Expected a column or function, not the end (at character 1)."),
        ("name eq", "'name' is compared with a value, not with the end (at character 8)."),
        ("name eq 'x", "The text has no closing quote (at character 9)."),
        ("name eq 'x' x", "Expected 'and', 'or' or the end, not 'x' (at character 13)."),
        ("name like 'x'", "'like' is not a comparison (at character 6)."),
        ("name eq 5", "'name' is compared with a text in quotes, not with '5' (at character 9)."),
        ("(name eq 'x'", "Expected ')', not the end (at character 13)."),
        ("name eq 'x' and", "Expected a column or function, not the end (at character 16)."),
        ("name gt null", "null is compared with eq or ne only (at character 9)."),
        (
            "numberofemployees eq 'x'",
            "'numberofemployees' is compared with a number without quotes, not with a text (at character 22).",
        ),
        (
            "numberofemployees eq x1",
            "'numberofemployees' is compared with a number, not with 'x1' (at character 22).",
        ),
        (
            "creditonhold eq 1",
            "'creditonhold' is compared with true or false, not with '1' (at character 17).",
        ),
        (
            "createdon gt yesterday",
            "'createdon' is compared with a date, not with 'yesterday' (at character 14).",
        ),
        (
            "accountid eq 5",
            "'accountid' is compared with an id (GUID), not with '5' (at character 14).",
        ),
        ("length(name) eq 5", "The function 'length' is not available (at character 1)."),
        ("contains(revenue,'5')", "'revenue' is not text (at character 10)."),
        ("contains(name,null)", "Expected a text in quotes (at character 15)."),
        ("name in ('a'", "Expected ')', not the end (at character 13)."),
        ("é eq 'x'", "'é' is not expected here (at character 1)."),
        ("name eq @p1", "'@' is not expected here (at character 9)."),
        ("name eq 'x'; drop", "';' is not expected here (at character 12)."),
        ("ownerid/name eq 'x'", "'ownerid' refers to more than one table."),
        ("name/x eq 'x'", "'name' is not a lookup of account."),
    ];
    for (text, expected) in cases {
        let fault = parse_filter(text, &catalog, "account").unwrap_err();
        assert_eq!((fault.code, fault.message.as_str()), (code::INVALID_QUERY, expected), "{text}");
    }
    let fault = parse_filter("fax eq 'x' and Name eq 'x'", &catalog, "account").unwrap_err();
    assert_eq!(fault.code, code::UNKNOWN_COLUMN);
    assert_eq!(
        fault.message,
        "'Account' entity doesn't contain attribute with Name = 'Name' and NameMapping = 'Logical'"
    );
    assert!(fault.hint.unwrap().starts_with("Look at character 16 of the text."));
    assert_eq!(parse_filter("a eq 1", &catalog, "x").unwrap_err().code, code::UNKNOWN_TABLE);
}

#[test]
fn everything_is_limited() {
    let catalog = Catalog::base();
    let refused = |text: &str| -> Fault { parse_filter(text, &catalog, "account").unwrap_err() };
    let deep = |n: usize| format!("{}name eq 'x'{}", "(".repeat(n), ")".repeat(n));
    parse_filter(&deep(15), &catalog, "account").unwrap();
    assert!(refused(&deep(16)).message.starts_with("The filter is nested deeper than 16"));
    assert!(refused(&"not ".repeat(3000)).message.starts_with("The filter is nested deeper"));
    let many = |n: usize| vec!["fax eq 'x'"; n].join(" or ");
    parse_filter(&many(500), &catalog, "account").unwrap();
    assert!(refused(&many(501)).message.starts_with("The filter has more than 500 conditions"));
    assert!(refused(&"x".repeat(TEXT_LENGTH_MAX + 1)).message.contains("longer than 32768"));
    let list = |n: usize| format!("statecode in ({})", vec!["0"; n].join(","));
    parse_filter(&list(2000), &catalog, "account").unwrap();
    assert!(refused(&list(2001)).message.starts_with("A list has at most 2000 values"));
    let path = |n: usize| format!("{}name eq 'x'", "parentaccountid/".repeat(n));
    parse_filter(&path(4), &catalog, "account").unwrap();
    assert!(refused(&path(5)).message.starts_with("A path follows at most 4 lookups"));
}

#[test]
fn orders_and_selections_are_read() {
    let catalog = Catalog::base();
    let orders = parse_order("name desc, _ownerid_value,fax asc", &catalog, "account").unwrap();
    let shown: Vec<(&str, bool)> =
        orders.iter().map(|o| (o.column.as_str(), o.descending)).collect();
    assert_eq!(shown, [("name", true), ("ownerid", false), ("fax", false)]);
    let columns = parse_select("name,fax,name", &catalog, "account").unwrap();
    assert_eq!(columns, ["name", "fax"]);
    for text in ["", "name,", ",name", "name,,fax", "'name'", "name down", "name desc desc", "nope"]
    {
        parse_order(text, &catalog, "account").unwrap_err();
    }
    for text in ["", "name fax", "name,", "*", "name desc"] {
        parse_select(text, &catalog, "account").unwrap_err();
    }
}

#[test]
fn no_text_makes_the_parser_panic() {
    let catalog = Catalog::base();
    let parts = [
        "name",
        "eq",
        "'x'",
        "(",
        ")",
        "not",
        "and",
        "or",
        "in",
        ",",
        "/",
        "null",
        "1",
        "contains",
        "=",
        "ownerid",
        "Microsoft.Dynamics.CRM.EqualUserId",
        "PropertyName",
        "'",
        "[",
        "é",
        "\u{0}",
    ];
    // Every text of up to three parts, and one more sweep with parts left out of a whole filter.
    for a in parts {
        for b in parts {
            for c in parts {
                let _parsed = parse_filter(&format!("{a} {b} {c}"), &catalog, "account");
                let _parsed = parse_filter(&format!("{a}{b}{c}"), &catalog, "account");
                let _parsed = parse_order(&format!("{a} {b} {c}"), &catalog, "account");
            }
        }
    }
    let whole = "contains(name,'x') and (fax in ('a','b') or not parentaccountid/name ne null)";
    for (start, _) in whole.char_indices() {
        for (end, _) in whole.char_indices().filter(|(end, _)| *end >= start) {
            let _parsed = parse_filter(&whole[..start], &catalog, "account");
            let _parsed =
                parse_filter(&format!("{}{}", &whole[..start], &whole[end..]), &catalog, "account");
        }
    }
}

#[test]
fn operators_of_the_model_that_odata_has_are_all_reachable() {
    let catalog = Catalog::base();
    let cases =
        [("lt", Operator::LessThan), ("le", Operator::LessEqual), ("gt", Operator::GreaterThan)];
    for (word, operator) in cases {
        let filter = parse_filter(&format!("revenue {word} 1"), &catalog, "account").unwrap();
        assert_eq!(filter.conditions()[0].operator, operator);
    }
}
