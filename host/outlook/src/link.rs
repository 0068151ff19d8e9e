//! The tie of an item to its record, in the custom properties that interoperating add-ins use
//! (named strings of PS_PUBLIC_STRINGS).
//!
//! Never decides whether a tie is right: a copied item carries the tie of its original, and only the
//! comparison of `crmEntryID` with the item's own id tells.

use crate::item::EntryId;
use offstage_model::Uuid;
use std::fmt;

/// The names of the custom properties.
pub mod names {
    /// The id of the record.
    pub const CRM_ID: &str = "crmid";
    /// 0 was tracked, 1 pending, 2 tracked.
    pub const LINK_STATE: &str = "crmLinkState";
    /// The id of the organization.
    pub const ORGANIZATION: &str = "crmorgid";
    /// The object type code of the record's table.
    pub const OBJECT_TYPE: &str = "crmObjectTypeCode";
    /// The id that the item had when it was linked.
    pub const ENTRY_ID: &str = "crmEntryID";
    /// The id of what the item is about.
    pub const REGARDING: &str = "crmregardingobjectid";
    /// The table of what the item is about.
    pub const REGARDING_TYPE: &str = "crmregardingobjecttypecode";
    /// The last synchronised state (OriginalXML).
    pub const ORIGINAL_XML: &str = "crmxml";
    /// All of them.
    pub const ALL: [&str; 8] = [
        CRM_ID,
        LINK_STATE,
        ORGANIZATION,
        OBJECT_TYPE,
        ENTRY_ID,
        REGARDING,
        REGARDING_TYPE,
        ORIGINAL_XML,
    ];
}

/// `crmLinkState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Was tracked, and is not any more.
    WasTracked,
    /// A secondary or delegate client asked for it; the primary's next scan promotes it.
    Pending,
    /// Tracked.
    Tracked,
}

impl LinkState {
    /// The stored number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::WasTracked => 0,
            Self::Pending => 1,
            Self::Tracked => 2,
        }
    }

    /// The state with this number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        [Self::WasTracked, Self::Pending, Self::Tracked].into_iter().find(|s| s.number() == number)
    }
}

/// What an item is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Regarding {
    /// The table.
    pub table: String,
    /// The row.
    pub id: Uuid,
}

impl Regarding {
    /// Reads `table:id`, the form of [`fmt::Display`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (table, id) = text.split_once(':')?;
        Some(Self { table: table.to_owned(), id: Uuid::parse_str(id).ok()? })
    }
}

impl fmt::Display for Regarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.table, self.id)
    }
}

/// The custom properties of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkProperties {
    /// `crmid`
    pub crm_id: Option<Uuid>,
    /// `crmLinkState`
    pub state: Option<LinkState>,
    /// `crmorgid`
    pub organization: Option<Uuid>,
    /// `crmObjectTypeCode`
    pub object_type: Option<i32>,
    /// `crmEntryID`
    pub entry_id: Option<EntryId>,
    /// `crmregardingobjectid` with `crmregardingobjecttypecode`
    pub regarding: Option<Regarding>,
    /// `crmxml`
    pub original_xml: Option<String>,
}

impl LinkProperties {
    /// The properties that are set, by name, as text: how a store keeps them.
    #[must_use]
    pub fn to_named(&self) -> Vec<(&'static str, String)> {
        let guid = |id: Uuid| format!("{{{}}}", id.to_string().to_uppercase());
        let mut named = Vec::new();
        let mut put = |name, value: Option<String>| {
            named.extend(value.map(|value| (name, value)));
        };
        put(names::CRM_ID, self.crm_id.map(guid));
        put(names::LINK_STATE, self.state.map(|s| s.number().to_string()));
        put(names::ORGANIZATION, self.organization.map(guid));
        put(names::OBJECT_TYPE, self.object_type.map(|t| t.to_string()));
        put(names::ENTRY_ID, self.entry_id.as_ref().map(|id| id.as_str().to_owned()));
        put(names::REGARDING, self.regarding.as_ref().map(|r| guid(r.id)));
        put(names::REGARDING_TYPE, self.regarding.as_ref().map(|r| r.table.clone()));
        put(names::ORIGINAL_XML, self.original_xml.clone());
        named
    }

    /// Reads what [`LinkProperties::to_named`] wrote; names in any case, values that make no sense
    /// are taken for absent, because other programs write here too.
    pub fn from_named<'a>(named: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut link = Self::default();
        let (mut about, mut about_table) = (None, None);
        let guid = |text: &str| Uuid::parse_str(text.trim().trim_matches(['{', '}'])).ok();
        // Add-ins of old wrote PT_DOUBLE: "2" and "2.0" are one number.
        let number = |text: &str| text.trim().split('.').next().and_then(|t| t.parse().ok());
        for (name, value) in named {
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            if is(names::CRM_ID) {
                link.crm_id = guid(value);
            } else if is(names::LINK_STATE) {
                link.state = number(value)
                    .and_then(|n: i32| u8::try_from(n).ok())
                    .and_then(LinkState::of_number);
            } else if is(names::ORGANIZATION) {
                link.organization = guid(value);
            } else if is(names::OBJECT_TYPE) {
                link.object_type = number(value);
            } else if is(names::ENTRY_ID) {
                link.entry_id = (!value.is_empty()).then(|| EntryId::new(value));
            } else if is(names::REGARDING) {
                about = guid(value);
            } else if is(names::REGARDING_TYPE) {
                about_table = (!value.is_empty()).then(|| value.to_owned());
            } else if is(names::ORIGINAL_XML) {
                link.original_xml = (!value.is_empty()).then(|| value.to_owned());
            }
        }
        link.regarding = about.zip(about_table).map(|(id, table)| Regarding { table, id });
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_come_back_from_their_named_form() {
        let link = LinkProperties {
            crm_id: Some(Uuid::from_u128(1)),
            state: Some(LinkState::Pending),
            organization: Some(Uuid::from_u128(2)),
            object_type: Some(4201),
            entry_id: Some(EntryId::new("AbC")),
            regarding: Some(Regarding { table: "account".into(), id: Uuid::from_u128(3) }),
            original_xml: Some("<item/>".into()),
        };
        let named = link.to_named();
        let texts = named.iter().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(LinkProperties::from_named(texts), link);
        assert_eq!(named.len(), names::ALL.len());
    }

    #[test]
    fn foreign_values_are_taken_for_absent() {
        let cases =
            [("crmid", "not a guid"), ("crmLinkState", "9"), ("crmlinkstate", "x"), ("x", "1")];
        for case in cases {
            assert_eq!(LinkProperties::from_named([case]), LinkProperties::default(), "{case:?}");
        }
        let old = LinkProperties::from_named([("crmlinkstate", "2.0")]);
        assert_eq!(old.state, Some(LinkState::Tracked));
    }
}
