//! The plan through its public door: the paper's example, who wins and why, groups, lengths, and
//! what holds for every plan.

use offstage_model::Timestamp;
use offstage_outlook::convert::crm_form;
use offstage_outlook::mapping::{Direction, TableMapping, of_table};
use offstage_outlook::plan::{Why, Winner};
use offstage_outlook::{Changes, Plan, Property as P, PropertyValue as V, Sides, State, plan};
use proptest::prelude::*;

fn contact() -> &'static TableMapping {
    of_table("contact").expect("contacts take part")
}

/// Three states of (A, B, C) as first name, last name and job title.
fn abc(values: [&str; 3]) -> State {
    let mut state = State::default();
    for (property, value) in [P::FirstName, P::LastName, P::JobTitle].into_iter().zip(values) {
        state.set(property, Some(V::text(value)));
    }
    state
}

fn plan_at(base: &State, (outlook, at): (&State, i64), (crm, then): (&State, i64)) -> Plan {
    let sides = Sides {
        base: Some(base),
        outlook,
        crm,
        outlook_time: Timestamp(at),
        crm_time: Timestamp(then),
    };
    plan(contact(), &sides)
}

#[test]
fn merging_overlapping_changes_the_graphic_of_the_paper() {
    let (base, outlook) = (abc(["A", "B", "C"]), abc(["A1", "B1", "C1"]));
    let crm = abc(["A2", "B2", "C"]);
    let plan = plan_at(&base, (&outlook, 10), (&crm, 20));
    // After CRM to Outlook synchronization.
    let mut item = outlook.clone();
    item.apply(&plan.to_outlook);
    assert_eq!(item, abc(["A2", "B2", "C1"]));
    assert_eq!(plan.base_between, abc(["A2", "B2", "C"]));
    // After Outlook to CRM synchronization.
    let mut record = crm.clone();
    record.apply(&plan.to_crm);
    assert_eq!(record, abc(["A2", "B2", "C1"]));
    assert_eq!(plan.base_after, abc(["A2", "B2", "C1"]));
    assert_eq!(plan.to_outlook.len(), 2);
    assert_eq!(plan.to_crm.len(), 1);
}

#[test]
fn one_column_every_way() {
    // base, outlook, crm, which is later -> winner, why
    let cases = [
        ("a", "a", "a", 0, Winner::Neither, None),
        ("a", "b", "a", 0, Winner::Outlook, Some(Why::OutlookChanged)),
        ("a", "b", "a", -9, Winner::Outlook, Some(Why::OutlookChanged)),
        ("a", "a", "b", 9, Winner::Crm, Some(Why::CrmChanged)),
        ("a", "b", "b", 0, Winner::Neither, Some(Why::SameChange)),
        ("a", "b", "c", 1, Winner::Outlook, Some(Why::OutlookLater)),
        ("a", "b", "c", -1, Winner::Crm, Some(Why::CrmLater)),
        ("a", "b", "c", 0, Winner::Crm, Some(Why::Tie)),
        ("a", "", "a", 0, Winner::Outlook, Some(Why::OutlookChanged)),
        ("a", "a", "", 0, Winner::Crm, Some(Why::CrmChanged)),
        ("", "\r\n", "", 0, Winner::Neither, None),
        ("a\nb", "a\r\nb\r\n", "a\nb", 0, Winner::Neither, None),
        ("", "b", "c", 1, Winner::Outlook, Some(Why::OutlookLater)),
    ];
    for (base, outlook, crm, outlook_ahead, winner, why) in cases {
        let case = format!("{base:?} {outlook:?} {crm:?} {outlook_ahead}");
        let state = |text: &str| {
            let mut state = State::default();
            state.set(P::Body, Some(V::text(text)));
            state
        };
        let plan =
            plan_at(&state(base), (&state(outlook), 100 + outlook_ahead), (&state(crm), 100));
        let found = plan.decisions.first();
        assert_eq!(found.map_or(Winner::Neither, |d| d.winner), winner, "{case}");
        assert_eq!(found.map(|d| d.why), why, "{case}");
    }
}

#[test]
fn columns_of_a_group_go_together() {
    let mapping = of_table("appointment").unwrap();
    let hour = 3_600_000;
    let state = |start: i64, end: i64| {
        let minutes = i32::try_from((end - start) * 60).unwrap_or(0);
        let mut state = State::default();
        state.set(P::Start, Some(V::Time(Timestamp(start * hour))));
        state.set(P::End, Some(V::Time(Timestamp(end * hour))));
        state.set(P::Duration, Some(V::Integer(minutes)));
        state.set(P::Subject, Some(V::text("s")));
        state
    };
    // Outlook moves the start, the CRM makes it longer: column by column that would be 9 to 14.
    let (base, outlook, crm) = (state(10, 11), state(9, 10), state(10, 14));
    for (outlook_time, start, end) in [(2, 9, 10), (0, 10, 14)] {
        let sides = Sides {
            base: Some(&base),
            outlook: &outlook,
            crm: &crm,
            outlook_time: Timestamp(outlook_time),
            crm_time: Timestamp(1),
        };
        let plan = plan(mapping, &sides);
        let (mut item, mut record) = (outlook.clone(), crm.clone());
        item.apply(&plan.to_outlook);
        record.apply(&plan.to_crm);
        assert_eq!(item, state(start, end));
        assert_eq!(record, state(start, end));
        assert!(plan.decisions[0].is_conflict());
    }
}

#[test]
fn a_text_that_does_not_fit_is_cut_once_and_told_once() {
    let long = "x".repeat(60);
    let state = |text: &str| {
        let mut state = State::default();
        state.set(P::FirstName, Some(V::text(text)));
        state
    };
    let (base, outlook) = (state("a"), state(&long));
    let first = plan_at(&base, (&outlook, 2), (&state("a"), 1));
    assert_eq!(first.truncated, [P::FirstName]);
    let mut record = state("a");
    record.apply(&first.to_crm);
    assert_eq!(record, state(&long[..50]));
    assert_eq!(first.base_after, record, "the base is what both have");
    let second = plan_at(&first.base_after, (&outlook, 2), (&record, 3));
    assert!(second.is_empty() && second.truncated.is_empty(), "{second:?}");
}

#[test]
fn without_a_base_what_is_set_on_one_side_only_survives() {
    let (outlook, crm) = (abc(["A", "B", ""]), abc(["A", "X", "C"]));
    let sides = Sides {
        base: None,
        outlook: &outlook,
        crm: &crm,
        outlook_time: Timestamp(1),
        crm_time: Timestamp(2),
    };
    let plan = plan(contact(), &sides);
    assert_eq!(plan.base_after, abc(["A", "X", "C"]));
    assert!(plan.to_crm.is_empty());
}

#[test]
fn the_company_name_and_the_reminder_go_one_way() {
    let cases = [("contact", P::Company, V::text("mine"), V::text("Theirs"))];
    for (table, property, outlook, crm) in cases {
        let mapping = of_table(table).unwrap();
        let one = |value: &V| State::default().with(property, value.clone());
        let sides = |base, o, c| {
            plan(
                mapping,
                &Sides {
                    base: Some(base),
                    outlook: o,
                    crm: c,
                    outlook_time: Timestamp(9),
                    crm_time: Timestamp(1),
                },
            )
        };
        let (o, c) = (one(&outlook), one(&crm));
        assert!(sides(&c, &o, &c).is_empty(), "Outlook's change stays in Outlook");
        let first = sides(&State::default(), &o, &c);
        assert_eq!(first.to_outlook, Changes::from([(property, Some(crm))]));
        assert!(first.to_crm.is_empty());
    }
}

/// Values of each kind of field, a few of each so that sides often agree.
fn value(property: P) -> BoxedStrategy<Option<V>> {
    let text = prop_oneof![
        Just(String::new()),
        Just("a".to_owned()),
        Just("b\r\nc\r\n".to_owned()),
        Just("b\nc".to_owned()),
        Just("long ".repeat(500)),
    ];
    match property {
        P::Children => prop::collection::vec(text, 0..3).prop_map(|t| Some(V::Texts(t))).boxed(),
        P::Birthday | P::Anniversary => {
            prop::option::of((1i8..3).prop_map(|day| V::Date(jiff::civil::date(2000, 1, day))))
                .boxed()
        }
        _ => prop::option::of(text.prop_map(V::Text)).boxed(),
    }
}

fn state() -> impl Strategy<Value = State> {
    let fields: Vec<_> = contact().fields.iter().map(|field| value(field.property)).collect();
    fields.prop_map(|values| {
        let mut state = State::default();
        for (field, value) in contact().fields.iter().zip(values) {
            state.set(field.property, value);
        }
        state
    })
}

/// A state in the form that a record holds.
fn held(state: &State) -> State {
    let mut held = State::default();
    for field in contact().fields {
        held.set(
            field.property,
            crm_form(contact(), field.property, state.get(field.property)).value,
        );
    }
    held
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// After a plan was carried out both sides have the same in every field that goes both ways,
    /// what only one side changed is kept, and a second plan has nothing to do.
    #[test]
    fn plans_converge_and_lose_no_single_change(
        base in state(), outlook in state(), crm in state(), ahead in -1i64..2,
    ) {
        let (base, crm) = (held(&base), held(&crm));
        let plan = plan_at(&base, (&outlook, ahead), (&crm, 0));
        let (mut item, mut record) = (outlook.clone(), crm.clone());
        item.apply(&plan.to_outlook);
        record.apply(&plan.to_crm);
        let form = |property, state: &State| crm_form(contact(), property, state.get(property)).value;
        for field in contact().fields {
            let p = field.property;
            if field.direction == Direction::ToOutlook {
                continue;
            }
            prop_assert_eq!(form(p, &item), form(p, &record), "{}", p);
            let alone = matches!(field.group, offstage_outlook::mapping::Group::Own(_));
            if alone && form(p, &crm) == form(p, &base) {
                prop_assert_eq!(form(p, &record), form(p, &outlook), "{} of Outlook", p);
            }
            if alone && form(p, &outlook) == form(p, &base) {
                prop_assert_eq!(form(p, &record), form(p, &crm), "{} of the CRM", p);
            }
        }
        let again = plan_at(&plan.base_after, (&item, ahead), (&record, 0));
        prop_assert!(again.is_empty(), "{:?}", again);
    }
}
