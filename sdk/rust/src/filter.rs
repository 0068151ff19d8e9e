//! The filter arena of the contract: a list of nodes, children before parents, the root last.
//!
//! It never trusts an arena from outside: a child must come before its parent and have one parent
//! only, so neither a cycle nor an exponential tree can be made.

use crate::error::DataError;
use crate::query::{Condition, Filter};

/// One node of the arena; children are indexes into it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// All children hold.
    All(Vec<u32>),
    /// One child holds.
    Any(Vec<u32>),
    /// The child does not hold.
    Negate(u32),
    /// This comparison holds.
    Condition(Condition),
}

/// Lays a tree out as an arena.
pub(crate) fn to_arena(filter: Option<Filter>) -> Vec<Node> {
    let mut arena = Vec::new();
    if let Some(filter) = filter {
        push(filter, &mut arena);
    }
    arena
}

fn push(filter: Filter, arena: &mut Vec<Node>) -> u32 {
    let mut push_each =
        |filters: Vec<Filter>| filters.into_iter().map(|filter| push(filter, arena)).collect();
    let node = match filter {
        Filter::All(filters) => Node::All(push_each(filters)),
        Filter::Any(filters) => Node::Any(push_each(filters)),
        Filter::Negate(inner) => Node::Negate(push(*inner, arena)),
        Filter::Condition(condition) => Node::Condition(condition),
    };
    arena.push(node);
    u32::try_from(arena.len() - 1).expect("BUG: a filter in memory has under 2^32 nodes")
}

/// Reads an arena back into a tree; an empty arena is no filter.
///
/// # Errors
/// [`DataError::BadFilter`] if a child is not before its parent, is shared, or is left over.
pub(crate) fn from_arena(arena: Vec<Node>) -> Result<Option<Filter>, DataError> {
    let mut done: Vec<Option<Filter>> = Vec::with_capacity(arena.len());
    for (index, node) in arena.into_iter().enumerate() {
        let mut take = |child: u32| {
            done.get_mut(child as usize).and_then(Option::take).ok_or(DataError::BadFilter {
                node: index,
                reason: "a child must come before its parent and have no other parent",
            })
        };
        let filter = match node {
            Node::All(children) => {
                Filter::All(children.into_iter().map(take).collect::<Result<_, _>>()?)
            }
            Node::Any(children) => {
                Filter::Any(children.into_iter().map(take).collect::<Result<_, _>>()?)
            }
            Node::Negate(child) => Filter::Negate(Box::new(take(child)?)),
            Node::Condition(condition) => Filter::Condition(condition),
        };
        done.push(Some(filter));
    }
    let root = done.pop().flatten();
    match done.iter().position(Option::is_some) {
        Some(node) => Err(DataError::BadFilter { node, reason: "no other node refers to it" }),
        None => Ok(root),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::column;

    #[test]
    fn a_tree_survives_the_arena() {
        let tree = (column("a").equals(1) | !column("b").is_null())
            & column("c").through(["parentaccountid"]).is_in(["x", "y"]);
        let arena = to_arena(Some(tree.clone()));
        assert_eq!(arena.len(), 6);
        assert!(matches!(arena.last(), Some(Node::All(children)) if children == &[3, 4]));
        assert_eq!(from_arena(arena).unwrap(), Some(tree));
        assert_eq!(from_arena(Vec::new()).unwrap(), None);
    }

    #[test]
    fn an_arena_that_is_no_tree_is_refused() {
        let leaf = || match column("a").is_null() {
            Filter::Condition(condition) => Node::Condition(condition),
            _ => unreachable!(),
        };
        let cases = [
            (vec![Node::Negate(0)], 0),
            (vec![Node::Negate(1), leaf()], 0),
            (vec![leaf(), Node::All(vec![0, 0])], 1),
            (vec![leaf(), leaf(), Node::Negate(1)], 0),
        ];
        for (arena, expected) in cases {
            let error = from_arena(arena).unwrap_err();
            assert!(matches!(error, DataError::BadFilter { node, .. } if node == expected));
        }
    }
}
