//! Queries from OData text to rows, and paging.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use offstage_model::query::{Order, Query};
use offstage_model::{Decimal, Entity, Timestamp, Uuid, Value};
use offstage_query::odata::{parse_filter, parse_order, parse_select};
use offstage_store::{Role, Scope, Store};
use support::{id, stamp, store, thing};

const USER: Uuid = Uuid::from_u128(0xABC);
const SCOPE: Scope = Scope { user: USER };

/// Rows 1 to 5; row 5 has a name only.
fn filled() -> Store {
    let store = store(Role::Server);
    let mut tx = store.write().unwrap();
    let due = |text: &str| Value::DateTime(Timestamp::parse(text).unwrap());
    let money = |cents| Value::Money(Decimal::new(cents, 2));
    tx.insert(
        &Entity::with_id("contact", id(100))
            .with("fullname", Value::text("Ánna O'Neil"))
            .with("ownerid", Value::reference("systemuser", USER)),
        &stamp(1),
    )
    .unwrap();
    let rows = [
        thing(1, "Zürich 100%")
            .with("count", Value::Integer(1))
            .with("price", money(1050))
            .with("kind", Value::Option(1))
            .with("active", Value::Boolean(true))
            .with("due", due("2026-11-21T09:30:00Z"))
            .with("tags", Value::Options(vec![1, 3])),
        thing(2, "ZÜRICH hb")
            .with("count", Value::Integer(2))
            .with("price", money(1055))
            .with("kind", Value::Option(2))
            .with("active", Value::Boolean(false))
            .with("about", Value::reference("contact", id(100)))
            .with("tags", Value::Options(vec![13])),
        thing(3, "o'brien_")
            .with("count", Value::Integer(3))
            .with("parent", Value::reference("thing", id(1)))
            .with("ratio", Value::Decimal(Decimal::new(12_345, 4)))
            .with("weight", Value::Double(0.5)),
        thing(4, "Apple")
            .with("count", Value::Integer(4))
            .with("parent", Value::reference("thing", id(3)))
            .with("token", Value::Guid(id(7)))
            .with("big", Value::BigInt(1 << 40)),
        thing(5, "apple"),
    ];
    for row in rows {
        tx.insert(&row, &stamp(1)).unwrap();
    }
    tx.commit().unwrap();
    store
}

#[test]
fn odata_filters_find_the_right_rows() {
    let store = filled();
    let mut tx = store.read().unwrap();
    let cases: &[(&str, &[u128])] = &[
        // text: case never counts, wildcards mean themselves
        ("name eq 'zürich HB'", &[2]),
        ("name ne 'apple'", &[1, 2, 3]),
        ("contains(name,'ZÜR')", &[1, 2]),
        ("contains(name,'%')", &[1]),
        ("endswith(name,'_')", &[3]),
        ("startswith(name,'O''B')", &[3]),
        ("contains(name,'%') eq false", &[2, 3, 4, 5]),
        ("not contains(name,'p')", &[1, 2, 3]),
        ("name in ('APPLE','o''brien_')", &[3, 4, 5]),
        ("name gt 'b'", &[1, 2, 3]),
        // null: negative operators match it, ordering ones do not, and not is two-valued
        ("count gt 2", &[3, 4]),
        ("not (count gt 2)", &[1, 2, 5]),
        ("count ne 1", &[2, 3, 4, 5]),
        ("count eq null", &[5]),
        ("count ne null", &[1, 2, 3, 4]),
        ("count eq null or count gt 3", &[4, 5]),
        ("not (count in (1,2))", &[3, 4, 5]),
        ("count in ()", &[]),
        ("not (count in ())", &[1, 2, 3, 4, 5]),
        // numbers between the steps of a column
        ("price gt 10.5 and price lt 10.56", &[2]),
        ("price gt 10.505", &[2]),
        ("price eq 10.505", &[]),
        ("price le 10.50", &[1]),
        ("ratio eq 1.2345", &[3]),
        ("count lt 1.5", &[1]),
        ("weight ge 0.5", &[3]),
        ("big gt 99999999999", &[4]),
        // the other types
        ("active eq true", &[1]),
        ("kind eq 2 or kind eq 1", &[1, 2]),
        ("due ge 2026-11-21 and due lt 2026-11-22", &[1]),
        ("due eq 2026-11-21T09:30:00Z", &[1]),
        ("token eq 00000000-0000-0000-0000-000000000007", &[4]),
        ("_parent_value eq 00000000-0000-0000-0000-000000000001", &[3]),
        ("parent ne null", &[3, 4]),
        ("tags eq '3,1'", &[1]),
        ("thingid eq 00000000-0000-0000-0000-000000000002", &[2]),
        // parents; a missing parent is null
        ("parent/name eq 'ZÜRICH 100%'", &[3]),
        ("parent/parent/name eq 'zürich 100%'", &[4]),
        ("parent/name ne 'zürich 100%'", &[1, 2, 4, 5]),
        ("parent/count eq null", &[1, 2, 5]),
        ("about_contact/fullname eq 'ÁNNA O''NEIL'", &[2]),
        ("about_contact/_ownerid_value eq 00000000-0000-0000-0000-000000000abc", &[2]),
        ("about_account/name eq 'x'", &[]),
        // precedence and grouping
        ("count eq 1 or count eq 2 and active eq true", &[1]),
        ("(count eq 1 or count eq 2) and active eq false", &[2]),
        ("not not count eq 1", &[1]),
    ];
    for (text, expected) in cases {
        let filter =
            parse_filter(text, tx.catalog(), "thing").unwrap_or_else(|e| panic!("{text}: {e}"));
        let query = Query::matching("thing", filter.clone());
        let found = tx.query(&query, &SCOPE).unwrap_or_else(|e| panic!("{text}: {e}"));
        let ids: Vec<u128> = found.entities.iter().map(|e| e.id.unwrap().as_u128()).collect();
        assert_eq!(&ids, expected, "{text}\n{filter:?}");
        // Counting, listing ids and testing one row agree with it.
        assert_eq!(tx.count(&query, &SCOPE).unwrap(), ids.len() as u64, "{text}");
        let listed = tx.matching_ids("thing", Some(&filter), &SCOPE).unwrap();
        assert_eq!(listed.iter().map(|(id, _)| id.as_u128()).collect::<Vec<_>>(), ids, "{text}");
        for n in 1..=6 {
            let member = tx.matches("thing", id(n), Some(&filter), &SCOPE).unwrap();
            assert_eq!(member, ids.contains(&n), "{text} of {n}");
        }
    }
}

#[test]
fn the_user_of_a_query_is_the_caller() {
    let store = filled();
    let mut tx = store.read().unwrap();
    let text = "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')";
    let filter = parse_filter(text, tx.catalog(), "contact").unwrap();
    let query = Query::matching("contact", filter);
    assert_eq!(tx.query(&query, &SCOPE).unwrap().entities.len(), 1);
    assert_eq!(tx.query(&query, &Scope { user: id(1) }).unwrap().entities.len(), 0);
}

#[test]
fn pages_do_not_overlap_and_add_up_in_every_order() {
    let store = store(Role::Server);
    let mut tx = store.write().unwrap();
    for n in 1..=23u128 {
        let mut row = thing(n, ["b", "A", "a", "É", "é"][n as usize % 5]);
        if n % 4 != 0 {
            row = row.with("count", Value::Integer((n % 3) as i32));
        }
        if n % 6 == 0 {
            row.attributes.remove("name");
        }
        tx.insert(&row, &stamp(1)).unwrap();
    }
    for text in
        ["", "name", "name desc", "count,name desc", "count desc,name", "thingid desc", "price"]
    {
        let orders = if text.is_empty() {
            vec![]
        } else {
            parse_order(text, tx.catalog(), "thing").unwrap()
        };
        let all = Query { orders, columns: Some(vec!["kind".into()]), ..Query::all("thing") };
        let whole = tx.query(&all, &SCOPE).unwrap();
        assert_eq!((whole.entities.len(), whole.more_records), (23, false));
        for page_size in [1, 4, 23, 50] {
            let mut query = Query { page_size: Some(page_size), total_count: true, ..all.clone() };
            let mut seen = Vec::new();
            loop {
                let page = tx.query(&query, &SCOPE).unwrap();
                assert_eq!(page.total_count, Some(23));
                assert!(page.entities.len() <= page_size as usize);
                assert_eq!(page.more_records, page.paging_cookie.is_some());
                seen.extend(page.entities);
                if page.paging_cookie.is_none() {
                    break;
                }
                query.paging_cookie = page.paging_cookie;
            }
            assert_eq!(seen, whole.entities, "order '{text}', pages of {page_size}");
        }
    }
    let top = Query { top: Some(3), ..Query::all("thing") };
    let page = tx.query(&top, &SCOPE).unwrap();
    assert_eq!((page.entities.len(), page.more_records), (3, false));
}

#[test]
fn a_cookie_of_another_query_is_refused() {
    let store = filled();
    let mut tx = store.read().unwrap();
    let query = Query { page_size: Some(2), ..Query::all("thing") };
    let cookie = tx.query(&query, &SCOPE).unwrap().paging_cookie.unwrap();
    let order = Order { column: "name".into(), descending: false };
    let other = Query { orders: vec![order], paging_cookie: Some(cookie), ..query.clone() };
    let error = tx.query(&other, &SCOPE).unwrap_err().to_string();
    assert!(error.starts_with("The paging cookie belongs to another query."), "{error}");
    let damaged = Query { paging_cookie: Some("' OR 1=1 --".into()), ..query };
    let error = tx.query(&damaged, &SCOPE).unwrap_err().to_string();
    assert!(error.starts_with("The paging cookie is damaged"), "{error}");
}

#[test]
fn selected_columns_come_back_and_no_others() {
    let store = filled();
    let mut tx = store.read().unwrap();
    let columns = parse_select("name,_parent_value,name,thingid", tx.catalog(), "thing").unwrap();
    assert_eq!(columns, ["name", "parent", "thingid"]);
    let orders = parse_order("count desc", tx.catalog(), "thing").unwrap();
    let query = Query { columns: Some(columns), orders, ..Query::all("thing") };
    let first = tx.query(&query, &SCOPE).unwrap().entities.remove(0);
    assert_eq!(first.id, Some(id(4)));
    assert!(first.version.is_some());
    assert_eq!(first.attributes.keys().collect::<Vec<_>>(), ["name", "parent"]);
}
