//! What a plug-in explicitly did to its context.
//!
//! A set counts even when the value is the same as before: the reconciliation of the two runs asks
//! who decided, not what differs.

use crate::request::Parameter;
use crate::value::Value;

/// One entry of a run's change log.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the documentation")]
pub enum Change {
    /// A column of a row in an input parameter was set.
    SetAttribute { parameter: String, column: String, value: Value },
    /// A column of a row in an input parameter was taken out.
    RemoveAttribute { parameter: String, column: String },
    /// An input parameter was set.
    SetInput { name: String, parameter: Parameter },
    /// An input parameter was taken out.
    RemoveInput { name: String },
    /// An output parameter was set.
    SetOutput { name: String, parameter: Parameter },
    /// An output parameter was taken out.
    RemoveOutput { name: String },
    /// A shared variable was set.
    SetSharedVariable { name: String, parameter: Parameter },
    /// A shared variable was taken out.
    RemoveSharedVariable { name: String },
}
