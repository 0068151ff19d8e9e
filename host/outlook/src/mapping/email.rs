//! E-mail: only what it is about can be changed after it was sent or received.

use super::{FieldMapping, Form};
use crate::property::Property as P;

/// "The Regarding field is the only property that can be edited for synchronization".
pub(super) const FIELDS: &[FieldMapping] =
    &[FieldMapping::of(P::Regarding, ("", ""), &["regardingobjectid"], (Form::Regarding, 0))];
