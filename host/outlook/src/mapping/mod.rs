//! The field mappings as data: which property of an item goes with which columns of a record.
//!
//! They are those of the paper and are not customisable. Never converts a value; `convert` does.

mod appointment;
mod contact;
mod email;
mod task;

use crate::item::ItemKind;
use crate::property::Property;

/// Which way a field goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    Both,
    /// From the record to the item only.
    ToOutlook,
}

/// Fields that only make sense together: they are decided as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Decided alone.
    Own(Property),
    /// Start, end, duration, all day, recurrence and time zone.
    AppointmentTime,
    /// The parts of the mailing address.
    MailingAddress,
}

impl Group {
    /// The word for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Own(property) => property.name(),
            Self::AppointmentTime => "appointment-time",
            Self::MailingAddress => "mailing-address",
        }
    }
}

/// How a value is turned into columns and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text column.
    Text,
    /// Several texts in one column, separated by `, `.
    TextList,
    /// The lines of one text in several columns; what is left joins the last one.
    Lines,
    /// A date-only column.
    Date,
    /// The day, in the user's zone, of a point in time; the time of day of the record stays.
    Day,
    /// The point in time itself, where it has a time of day: the reminder.
    TimeOfDay,
    /// A point in time; whole days are midnight UTC.
    Moment,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// 0 low, 1 normal, 2 high.
    Priority,
    /// State and status of a task.
    TaskStatus,
    /// State and status of an appointment.
    ShowTimeAs,
    /// Activity parties with this participation type.
    Parties(i32),
    /// A reference to what the item is about.
    Regarding,
    /// The name of the parent account.
    ParentName,
}

/// One line of a mapping table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldMapping {
    /// The property of the item.
    pub property: Property,
    /// The Outlook field, as the paper writes it; empty for a field that the paper does not list.
    pub paper_field: &'static str,
    /// The CRM field, as the paper prints it, misprints included.
    pub paper_column: &'static str,
    /// The columns of the record.
    pub columns: &'static [&'static str],
    /// How values are converted.
    pub form: Form,
    /// Which way it goes.
    pub direction: Direction,
    /// What it is decided together with.
    pub group: Group,
    /// The longest text of each column, in characters; 0 where that makes no sense.
    pub length_max: u32,
}

impl FieldMapping {
    /// A field of the paper's table that goes both ways and is decided alone.
    const fn of(
        property: Property,
        (paper_field, paper_column): (&'static str, &'static str),
        columns: &'static [&'static str],
        (form, length_max): (Form, u32),
    ) -> Self {
        Self {
            property,
            paper_field,
            paper_column,
            columns,
            form,
            direction: Direction::Both,
            group: Group::Own(property),
            length_max,
        }
    }

    /// The same field, decided together with others.
    const fn within(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// The same field, from the record to the item only.
    const fn to_outlook(mut self) -> Self {
        self.direction = Direction::ToOutlook;
        self
    }
}

/// A table whose rows appear in Outlook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableMapping {
    /// The table.
    pub table: &'static str,
    /// Its object type code, for `crmObjectTypeCode` and the column ObjectType.
    pub object_type: i32,
    /// What its rows are in Outlook.
    pub kind: ItemKind,
    /// The fields.
    pub fields: &'static [FieldMapping],
}

/// Every table that takes part. The first one of a kind is what an item of Outlook becomes.
pub const TABLES: [TableMapping; 7] = [
    TableMapping {
        table: "contact",
        object_type: 2,
        kind: ItemKind::Contact,
        fields: contact::FIELDS,
    },
    task::table("task", 4212),
    task::table("phonecall", 4210),
    task::table("letter", 4207),
    task::table("fax", 4204),
    TableMapping {
        table: "appointment",
        object_type: 4201,
        kind: ItemKind::Appointment,
        fields: appointment::FIELDS,
    },
    TableMapping {
        table: "email",
        object_type: 4202,
        kind: ItemKind::Email,
        fields: email::FIELDS,
    },
];

/// The mapping of a table.
#[must_use]
pub fn of_table(table: &str) -> Option<&'static TableMapping> {
    TABLES.iter().find(|mapping| mapping.table == table)
}

/// The mapping of an object type code.
#[must_use]
pub fn of_object_type(object_type: i32) -> Option<&'static TableMapping> {
    TABLES.iter().find(|mapping| mapping.object_type == object_type)
}

/// The mapping of the table that an item of this kind becomes when it is tracked.
#[must_use]
pub fn of_kind(kind: ItemKind) -> &'static TableMapping {
    TABLES.iter().find(|mapping| mapping.kind == kind).expect("BUG: every kind has a table")
}

impl TableMapping {
    /// The field of a property.
    #[must_use]
    pub fn field(&self, property: Property) -> Option<&'static FieldMapping> {
        self.fields.iter().find(|field| field.property == property)
    }

    /// All columns that take part, without repeats.
    #[must_use]
    pub fn columns(&self) -> Vec<&'static str> {
        let mut columns: Vec<&str> = self.fields.iter().flat_map(|f| f.columns).copied().collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offstage_model::Catalog;
    use offstage_model::metadata::ColumnType;

    #[test]
    fn every_column_exists_with_the_length_of_the_mapping() {
        let catalog = Catalog::base();
        for mapping in &TABLES {
            for field in mapping.fields {
                for column in field.columns {
                    let found = catalog.column(mapping.table, column).unwrap();
                    let at = format!("{}.{column}", mapping.table);
                    if matches!(found.kind, ColumnType::String | ColumnType::Memo) {
                        assert_eq!(found.length_max(), field.length_max, "{at}");
                    } else {
                        assert_eq!(field.length_max, 0, "{at}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_property_is_mapped_twice_in_a_table() {
        for mapping in &TABLES {
            let mut seen = std::collections::BTreeSet::new();
            for field in mapping.fields {
                assert!(seen.insert(field.property), "{} {}", mapping.table, field.property);
            }
        }
    }

    #[test]
    fn kinds_and_codes_lead_to_their_tables() {
        let tables: Vec<&str> = ItemKind::ALL.iter().map(|kind| of_kind(*kind).table).collect();
        assert_eq!(tables, ["contact", "task", "appointment", "email"]);
        for mapping in &TABLES {
            assert_eq!(of_object_type(mapping.object_type), Some(mapping));
            assert_eq!(of_table(mapping.table), Some(mapping));
        }
    }
}
