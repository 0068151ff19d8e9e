//! Filters: a tree in the model, an arena in the contract, which has no recursive types.
//!
//! Never recurses over what a plug-in gave: depth is counted first.

use super::{ConvertError, at_most, from_guest, to_guest};
use crate::bindings::offstage::plugin::types;
use offstage_model::query::{
    CONDITIONS_MAX, Condition, FILTER_DEPTH_MAX, Filter, IN_VALUES_MAX, Operator, PATH_MAX,
};

/// The most nodes of one filter: its conditions, and as many groups.
const NODES_MAX: usize = 2 * CONDITIONS_MAX;

/// Reads an arena: children come before their parent, the last node is the root.
pub(super) fn from_guest(nodes: Vec<types::FilterNode>) -> Result<Option<Filter>, ConvertError> {
    at_most("filter nodes", nodes.len(), NODES_MAX)?;
    let mut built: Vec<Option<(Filter, usize)>> = Vec::with_capacity(nodes.len());
    let mut conditions = 0;
    for (node, guest) in nodes.into_iter().enumerate() {
        let mut depth = 0;
        let mut take = |child: u32| -> Result<Filter, ConvertError> {
            let slot = built
                .get_mut(child as usize)
                .ok_or(ConvertError::BadFilterReference { node, child })?;
            let (filter, below) =
                slot.take().ok_or(ConvertError::FilterNotATree { node: child as usize })?;
            depth = depth.max(below);
            Ok(filter)
        };
        let filter = match guest {
            types::FilterNode::All(children) => {
                Filter::All(children.into_iter().map(&mut take).collect::<Result<_, _>>()?)
            }
            types::FilterNode::Any(children) => {
                Filter::Any(children.into_iter().map(&mut take).collect::<Result<_, _>>()?)
            }
            types::FilterNode::Negate(child) => Filter::Not(Box::new(take(child)?)),
            types::FilterNode::Condition(guest) => {
                conditions += 1;
                at_most("conditions", conditions, CONDITIONS_MAX)?;
                Filter::Condition(condition(guest)?)
            }
        };
        let depth = depth + 1;
        if depth > FILTER_DEPTH_MAX {
            return Err(ConvertError::FilterTooDeep { depth_max: FILTER_DEPTH_MAX });
        }
        built.push(Some((filter, depth)));
    }
    let Some(root) = built.pop().flatten() else {
        return Ok(None);
    };
    match built.iter().position(Option::is_some) {
        Some(node) => Err(ConvertError::FilterNotATree { node }),
        None => Ok(Some(root.0)),
    }
}

fn condition(guest: types::Condition) -> Result<Condition, ConvertError> {
    at_most("lookups in the path of a condition", guest.path.len(), PATH_MAX)?;
    at_most("values in a condition", guest.values.len(), IN_VALUES_MAX)?;
    Ok(Condition {
        path: guest.path.into_iter().map(from_guest::name).collect::<Result<_, _>>()?,
        column: from_guest::name(guest.column)?,
        operator: guest.operator.into(),
        values: guest.values.into_iter().map(from_guest::value).collect::<Result<_, _>>()?,
    })
}

/// Writes a tree as an arena. The model's own limit keeps the recursion shallow.
pub(super) fn to_guest(filter: &Filter) -> Vec<types::FilterNode> {
    let mut nodes = Vec::new();
    push(filter, &mut nodes);
    nodes
}

fn push(filter: &Filter, nodes: &mut Vec<types::FilterNode>) -> u32 {
    let node = match filter {
        Filter::All(parts) => {
            types::FilterNode::All(parts.iter().map(|part| push(part, nodes)).collect())
        }
        Filter::Any(parts) => {
            types::FilterNode::Any(parts.iter().map(|part| push(part, nodes)).collect())
        }
        Filter::Not(part) => types::FilterNode::Negate(push(part, nodes)),
        Filter::Condition(condition) => types::FilterNode::Condition(types::Condition {
            path: condition.path.clone(),
            column: condition.column.clone(),
            operator: condition.operator.into(),
            values: condition.values.iter().map(to_guest::value).collect(),
        }),
    };
    nodes.push(node);
    u32::try_from(nodes.len() - 1).unwrap_or(u32::MAX)
}

macro_rules! operators {
    ($($name:ident),+ $(,)?) => {
        impl From<types::ConditionOperator> for Operator {
            fn from(operator: types::ConditionOperator) -> Self {
                match operator { $(types::ConditionOperator::$name => Self::$name),+ }
            }
        }

        impl From<Operator> for types::ConditionOperator {
            fn from(operator: Operator) -> Self {
                match operator { $(Operator::$name => Self::$name),+ }
            }
        }
    };
}

operators!(
    Equal,
    NotEqual,
    GreaterThan,
    GreaterEqual,
    LessThan,
    LessEqual,
    IsNull,
    IsNotNull,
    In,
    NotIn,
    Contains,
    BeginsWith,
    EndsWith,
    EqualUserId,
    NotEqualUserId,
);

#[cfg(test)]
mod tests {
    use super::*;
    use offstage_model::Value;

    fn leaf() -> types::FilterNode {
        types::FilterNode::Condition(types::Condition {
            path: Vec::new(),
            column: "name".into(),
            operator: types::ConditionOperator::IsNull,
            values: Vec::new(),
        })
    }

    #[test]
    fn a_tree_goes_to_the_guest_and_back() {
        let filter = Filter::All(vec![
            Filter::eq("name", Value::text("a")),
            Filter::Not(Box::new(Filter::Any(vec![
                Filter::condition("revenue", Operator::IsNull, vec![]),
                Filter::condition("revenue", Operator::In, vec![Value::Integer(1), Value::Null]),
            ]))),
        ]);
        assert_eq!(from_guest(to_guest(&filter)), Ok(Some(filter)));
        assert_eq!(from_guest(Vec::new()), Ok(None));
    }

    #[test]
    fn arenas_that_are_no_trees_are_refused() {
        use types::FilterNode::{All, Negate};
        let deep = || {
            let mut nodes = vec![leaf()];
            nodes.extend((0..40).map(Negate));
            nodes
        };
        let cases = [
            (vec![Negate(0)], ConvertError::BadFilterReference { node: 0, child: 0 }),
            (vec![leaf(), Negate(9)], ConvertError::BadFilterReference { node: 1, child: 9 }),
            (vec![leaf(), All(vec![0, 0])], ConvertError::FilterNotATree { node: 0 }),
            (vec![leaf(), leaf()], ConvertError::FilterNotATree { node: 0 }),
            (deep(), ConvertError::FilterTooDeep { depth_max: FILTER_DEPTH_MAX }),
            (
                (0..=CONDITIONS_MAX).map(|_| leaf()).collect(),
                ConvertError::TooMany {
                    what: "conditions",
                    count: CONDITIONS_MAX + 1,
                    count_max: CONDITIONS_MAX,
                },
            ),
        ];
        for (nodes, expected) in cases {
            assert_eq!(from_guest(nodes), Err(expected));
        }
    }
}
