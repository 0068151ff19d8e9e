//! Associate and Disassociate: sets lookups of one-to-many relationships, and makes or removes
//! links of many-to-many ones.

use crate::session::Session;
use offstage_model::entity::Attributes;
use offstage_model::identity::{digest, guid_of};
use offstage_model::journal::{EffectKind, RowEffect};
use offstage_model::metadata::{ManyToMany, OneToMany, Relationship};
use offstage_model::request::parameter;
use offstage_model::{Entity, EntityReference, Fault, Parameter, Request, Uuid, Value, code};

/// The three parameters of both messages.
struct Link {
    target: EntityReference,
    related: Vec<EntityReference>,
    relationship: Relationship,
}

impl Session {
    pub(super) fn associate(&mut self) -> Result<(), Fault> {
        let link = self.link()?;
        match &link.relationship {
            Relationship::OneToMany(r) => self.set_lookups(r, &link, true),
            Relationship::ManyToMany(r) => {
                for other in &link.related {
                    self.make_link(r, &link.target, other)?;
                }
                Ok(())
            }
        }
    }

    pub(super) fn disassociate(&mut self) -> Result<(), Fault> {
        let link = self.link()?;
        match &link.relationship {
            Relationship::OneToMany(r) => self.set_lookups(r, &link, false),
            Relationship::ManyToMany(r) => {
                for other in &link.related {
                    let (id, _) = link_row(r, &link.target, other)?;
                    self.remove_link(&r.intersect, id)?;
                }
                Ok(())
            }
        }
    }

    fn link(&mut self) -> Result<Link, Fault> {
        let request = self.request();
        let target = request.reference(parameter::TARGET)?.clone();
        let Some(Parameter::Value(Value::Text(name))) =
            request.parameters.get(parameter::RELATIONSHIP)
        else {
            return Err(request.missing(parameter::RELATIONSHIP, "a relationship's name"));
        };
        let Some(Parameter::References(related)) =
            request.parameters.get(parameter::RELATED_ENTITIES)
        else {
            return Err(request.missing(parameter::RELATED_ENTITIES, "a list of references"));
        };
        let relationship = self.catalog.relationships.get(name).cloned().ok_or_else(|| {
            Fault::new(code::NOT_FOUND, format!("There is no relationship '{name}'."))
        })?;
        for row in related.iter().chain([&target]) {
            self.catalog.table(&row.table)?;
            if !self.tx.exists(&row.table, row.id)? {
                return Err(Fault::no_such_row(&row.table, row.id));
            }
        }
        Ok(Link { target, related: related.clone(), relationship })
    }

    /// From the parent many children can be set; from the child only one parent (case R68). Each
    /// lookup is changed by an Update of the child, so that its steps run.
    fn set_lookups(&mut self, r: &OneToMany, link: &Link, set: bool) -> Result<(), Fault> {
        let from_child = link.target.table == r.child
            && link.related.iter().all(|other| other.table == r.parent);
        let from_parent = link.target.table == r.parent
            && link.related.iter().all(|other| other.table == r.child);
        let pairs: Vec<(Uuid, Uuid)> = if from_parent {
            link.related.iter().map(|child| (child.id, link.target.id)).collect()
        } else if from_child && link.related.len() == 1 {
            vec![(link.target.id, link.related[0].id)]
        } else {
            return Err(Fault::new(
                code::INVALID_ARGUMENT,
                format!(
                    "The relationship '{}' links one '{}' to rows of '{}'.",
                    r.name, r.parent, r.child
                ),
            ));
        };
        for (ordinal, (child, parent)) in (0..).zip(pairs) {
            let value = if set { Value::reference(r.parent.clone(), parent) } else { Value::Null };
            let target = Entity::with_id(r.child.clone(), child).with(r.lookup.clone(), value);
            self.run_member(ordinal, Request::update(target))?;
        }
        Ok(())
    }

    fn make_link(
        &mut self,
        r: &ManyToMany,
        target: &EntityReference,
        other: &EntityReference,
    ) -> Result<(), Fault> {
        let (id, mut attributes) = link_row(r, target, other)?;
        if self.tx.exists(&r.intersect, id)? {
            return Err(Fault::new(
                code::DUPLICATE_RECORD,
                format!("{target} and {other} are linked already ({}).", r.name),
            ));
        }
        let now = Value::DateTime(self.pipeline.clock().now());
        attributes.insert("createdon".into(), now.clone());
        attributes.insert("modifiedon".into(), now);
        let row = Entity { id: Some(id), attributes, ..Entity::new(r.intersect.clone()) };
        let stamp = self.root.stamp;
        self.tx.insert(&row, &stamp)?;
        self.record_effect(RowEffect {
            table: r.intersect.clone(),
            id,
            kind: EffectKind::Created,
            base_version: None,
            before: Attributes::new(),
            after: row.attributes,
        });
        Ok(())
    }
}

/// The row of a link: its id depends on what it links only, so that two devices that link the same
/// rows make the same link.
fn link_row(
    r: &ManyToMany,
    a: &EntityReference,
    b: &EntityReference,
) -> Result<(Uuid, Attributes), Fault> {
    let (first, second) = if a.table == r.first && b.table == r.second {
        (a, b)
    } else if b.table == r.first && a.table == r.second {
        (b, a)
    } else {
        return Err(Fault::new(
            code::INVALID_ARGUMENT,
            format!("The relationship '{}' links '{}' and '{}'.", r.name, r.first, r.second),
        ));
    };
    let parts = [r.name.as_bytes(), first.id.as_bytes(), second.id.as_bytes()];
    let id = guid_of(digest(&parts));
    let (first_lookup, second_lookup) = r.lookups();
    let attributes = Attributes::from([
        (first_lookup, Value::reference(r.first.clone(), first.id)),
        (second_lookup, Value::reference(r.second.clone(), second.id)),
    ]);
    Ok((id, attributes))
}
