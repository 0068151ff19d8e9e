//! The three-way plan: what each side changed since the last synchronised state, and which side
//! wins, per column or group of columns.
//!
//! One side changed: it wins. Both changed to different values: the side with the later item
//! timestamp; on a tie the CRM. Pure: same input, same plan. Never reads or writes anything.

use crate::convert::crm_form;
use crate::mapping::{Direction, FieldMapping, Group, TableMapping};
use crate::property::{Property, PropertyValue};
use crate::state::{Changes, State};
use offstage_model::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// The last synchronised state (OriginalXML); `None` when there is none, which counts as empty.
    pub base: Option<&'a State>,
    /// The item now.
    pub outlook: &'a State,
    /// The record now.
    pub crm: &'a State,
    /// When the item was last changed.
    pub outlook_time: Timestamp,
    /// When the record was last changed.
    pub crm_time: Timestamp,
}

/// Whose value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winner {
    /// Nothing is to be done.
    Neither,
    /// The item's; it goes to the record.
    Outlook,
    /// The record's; it goes to the item.
    Crm,
}

/// Why it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Both sides are as they were.
    Unchanged,
    /// Only the item changed.
    OutlookChanged,
    /// Only the record changed.
    CrmChanged,
    /// Both changed to the same value.
    SameChange,
    /// Both changed; the item's change is later.
    OutlookLater,
    /// Both changed; the record's change is later.
    CrmLater,
    /// Both changed at the same time: the CRM stands.
    Tie,
    /// The field goes to Outlook only, and the record changed.
    OneWay,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unchanged => "nobody changed it",
            Self::OutlookChanged => "only Outlook changed it",
            Self::CrmChanged => "only the CRM changed it",
            Self::SameChange => "both changed it to the same value",
            Self::OutlookLater => "both changed it; Outlook was later",
            Self::CrmLater => "both changed it; the CRM was later",
            Self::Tie => "both changed it at the same time; the CRM stands",
            Self::OneWay => "it goes to Outlook only",
        })
    }
}

/// One property with all three values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldView {
    /// The property.
    pub property: Property,
    /// The last synchronised value.
    pub base: Option<PropertyValue>,
    /// The item's value.
    pub outlook: Option<PropertyValue>,
    /// The record's value.
    pub crm: Option<PropertyValue>,
}

/// The decision about one column, or one group of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is decided.
    pub group: Group,
    /// Its properties of which both sides speak.
    pub fields: Vec<FieldView>,
    /// Whose value stands.
    pub winner: Winner,
    /// Why.
    pub why: Why,
}

impl Decision {
    /// Whether both sides changed it to different values, so that one of them is lost.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.why, Why::OutlookLater | Why::CrmLater | Why::Tie)
    }
}

/// The plan for one pair of item and record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What differs from the last synchronised state, with the decision about it.
    pub decisions: Vec<Decision>,
    /// First: what to write to the item.
    pub to_outlook: Changes,
    /// Then: what to write to the record, as it can hold it.
    pub to_crm: Changes,
    /// Texts that the record cannot hold whole.
    pub truncated: Vec<Property>,
    /// OriginalXML after the first direction.
    pub base_between: State,
    /// OriginalXML after both directions.
    pub base_after: State,
    /// The mail store is only read, and the item stays as it is.
    pub leaves_item: bool,
}

impl Plan {
    /// Whether neither side has to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.to_outlook.is_empty() && self.to_crm.is_empty()
    }

    /// Writes nothing to the item. What it would have got does not count as synchronised: else its
    /// old value would look like a change, and go to the record.
    pub fn leave_item(&mut self, outlook: &State) {
        for property in std::mem::take(&mut self.to_outlook).into_keys() {
            let now = outlook.get(property).cloned();
            self.base_between.set(property, now.clone());
            self.base_after.set(property, now);
            self.leaves_item = true;
        }
    }
}

/// Makes the plan for one pair.
#[must_use]
pub fn plan(mapping: &TableMapping, sides: &Sides<'_>) -> Plan {
    let empty = State::default();
    let base = sides.base.unwrap_or(&empty);
    let mut plan = Plan { base_between: base.clone(), ..Plan::default() };
    let mut agreed = Changes::new();
    for (group, fields) in groups(mapping) {
        let decision = decide(mapping, sides, base, group, &fields);
        for view in &decision.fields {
            match decision.winner {
                Winner::Crm => {
                    plan.to_outlook.insert(view.property, view.crm.clone());
                }
                Winner::Outlook => {
                    let held = crm_form(mapping, view.property, view.outlook.as_ref());
                    if held.truncated {
                        plan.truncated.push(view.property);
                    }
                    // People keep their names, which are no part of the compared form.
                    let people = matches!(view.outlook, Some(PropertyValue::People(_)));
                    let value = if people { view.outlook.clone() } else { held.value };
                    plan.to_crm.insert(view.property, value);
                }
                // Where both agree, what they agree on is the new base; an item may hold more than
                // the record can.
                Winner::Neither if decision.why == Why::SameChange => {
                    agreed.insert(view.property, view.crm.clone());
                }
                Winner::Neither => {}
            }
        }
        drop_what_is_there(mapping, &decision, &mut plan);
        if decision.why != Why::Unchanged {
            plan.decisions.push(decision);
        }
    }
    plan.base_between.apply(&agreed);
    plan.base_between.apply(&crm_values(&plan));
    plan.base_after = plan.base_between.clone();
    plan.base_after.apply(&outlook_values(&plan));
    plan
}

/// Within a group only what differs is written; the rest of the group is there already.
fn drop_what_is_there(mapping: &TableMapping, decision: &Decision, plan: &mut Plan) {
    for view in &decision.fields {
        let item = crm_form(mapping, view.property, view.outlook.as_ref()).value;
        let record = crm_form(mapping, view.property, view.crm.as_ref()).value;
        if item == record {
            plan.to_outlook.remove(&view.property);
            plan.to_crm.remove(&view.property);
        }
    }
}

fn crm_values(plan: &Plan) -> Changes {
    won_by(plan, Winner::Crm, |view| view.crm.clone())
}

fn outlook_values(plan: &Plan) -> Changes {
    let mut values = won_by(plan, Winner::Outlook, |view| view.outlook.clone());
    // What was cut off is not in the base: the base is what both sides have.
    values.extend(plan.to_crm.iter().map(|(property, value)| (*property, value.clone())));
    values
}

fn won_by(
    plan: &Plan,
    winner: Winner,
    value: impl Fn(&FieldView) -> Option<PropertyValue>,
) -> Changes {
    let won = plan.decisions.iter().filter(|decision| decision.winner == winner);
    won.flat_map(|decision| &decision.fields).map(|view| (view.property, value(view))).collect()
}

fn groups(mapping: &TableMapping) -> BTreeMap<Group, Vec<&'static FieldMapping>> {
    let mut groups: BTreeMap<Group, Vec<&'static FieldMapping>> = BTreeMap::new();
    for field in mapping.fields {
        groups.entry(field.group).or_default().push(field);
    }
    groups
}

fn decide(
    mapping: &TableMapping,
    sides: &Sides<'_>,
    base: &State,
    group: Group,
    fields: &[&'static FieldMapping],
) -> Decision {
    let views: Vec<FieldView> = fields
        .iter()
        .filter(|field| {
            sides.crm.speaks_of(field.property) && sides.outlook.speaks_of(field.property)
        })
        .map(|field| FieldView {
            property: field.property,
            base: base.get(field.property).cloned(),
            outlook: sides.outlook.get(field.property).cloned(),
            crm: sides.crm.get(field.property).cloned(),
        })
        .collect();
    // All three are compared in the form that a record can hold, so that what it cannot hold is no
    // change of either side.
    let form =
        |property, value: &Option<PropertyValue>| crm_form(mapping, property, value.as_ref()).value;
    let differ = |a: fn(&FieldView) -> &Option<PropertyValue>,
                  b: fn(&FieldView) -> &Option<PropertyValue>| {
        views.iter().any(|view| form(view.property, a(view)) != form(view.property, b(view)))
    };
    let crm_changed = differ(|v| &v.crm, |v| &v.base);
    let outlook_changed = differ(|v| &v.outlook, |v| &v.base);
    let sides_differ = differ(|v| &v.outlook, |v| &v.crm);
    let one_way = fields.iter().all(|field| field.direction == Direction::ToOutlook);
    let (winner, why) = match (outlook_changed, crm_changed) {
        _ if one_way && crm_changed && sides_differ => (Winner::Crm, Why::OneWay),
        (_, true) if one_way => (Winner::Neither, Why::SameChange),
        _ if one_way => (Winner::Neither, Why::Unchanged),
        (false, false) => (Winner::Neither, Why::Unchanged),
        _ if !sides_differ => (Winner::Neither, Why::SameChange),
        (true, false) => (Winner::Outlook, Why::OutlookChanged),
        (false, true) => (Winner::Crm, Why::CrmChanged),
        (true, true) if sides.outlook_time > sides.crm_time => (Winner::Outlook, Why::OutlookLater),
        (true, true) if sides.outlook_time < sides.crm_time => (Winner::Crm, Why::CrmLater),
        (true, true) => (Winner::Crm, Why::Tie),
    };
    Decision { group, fields: views, winner, why }
}
