//! Reading a PST file into plain values, through `outlook-pst`.
//!
//! Whatever a damaged file makes the reader do, even a panic, becomes an error of the one message
//! or folder. Never writes to the file.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;

use mail_parser::decoders::charsets::map::charset_decoder;
use offstage_model::Uuid;
use outlook_pst::ltp::prop_context::{GuidValue, PropertyValue as Stored};
use outlook_pst::ltp::table_context::TableContext;
use outlook_pst::messaging::named_prop::{NamedPropertyGuid, NamedPropertyId, NamedPropertyMap};
use outlook_pst::messaging::store::{EntryId as StoredId, Store};
use outlook_pst::ndb::node_id::NodeId;

use super::PstError;

/// Folders nested deeper than this are reported and not read.
const DEPTH_MAX: usize = 64;
/// Messages of one folder beyond this number are reported and not read.
const ROWS_MAX: usize = 5_000_000;

/// How a property is named in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Tag(u16),
    Lid(Uuid, u32),
    Text(Uuid, String),
}

/// A value of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Texts(Vec<String>),
    Integer(i64),
    Double(f64),
    Boolean(bool),
    /// 100 ns since 1601.
    Time(i64),
    Binary(Vec<u8>),
}

/// Somebody in the recipient table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipient {
    pub(super) kind: i64,
    pub(super) name: String,
    pub(super) address: String,
}

/// A message of the file.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) class: String,
    pub(super) values: BTreeMap<Name, Raw>,
    pub(super) recipients: Vec<Recipient>,
}

/// A folder of the file.
#[derive(Debug, Clone)]
pub(super) struct FolderInfo {
    pub(super) id: String,
    /// Its names from the top, separated by `/`.
    pub(super) path: String,
    /// `IPF.Contact` and so on; empty for mail.
    pub(super) class: String,
}

/// A row of a contents table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) class: Option<String>,
    pub(super) modified: Option<i64>,
}

/// An open file.
pub(super) struct PstFile {
    store: Rc<dyn Store>,
    names: BTreeMap<u16, Name>,
}

impl PstFile {
    pub(super) fn open(path: &Path) -> Result<Self, PstError> {
        let problem = |reason: String| PstError::File { path: path.to_owned(), reason };
        // Told apart first: the reader takes a missing file for an old one.
        std::fs::metadata(path).map_err(|error| problem(error.to_string()))?;
        guarded(|| {
            let store = outlook_pst::open_store(path)?;
            let names = names(&*store.named_property_map()?)?;
            Ok(Self { store, names })
        })
        .map_err(problem)
    }

    /// All folders below the one that the user sees, with what could not be read.
    pub(super) fn folders(&self) -> Result<(Vec<FolderInfo>, Vec<String>), String> {
        let root = guarded(|| self.store.properties().ipm_sub_tree_entry_id())?;
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        self.walk(root, "", 0, &mut found, &mut problems);
        Ok((found, problems))
    }

    fn walk(
        &self,
        id: StoredId,
        path: &str,
        depth: usize,
        found: &mut Vec<FolderInfo>,
        problems: &mut Vec<String>,
    ) {
        if depth == DEPTH_MAX {
            problems.push(format!("{path}: folders nested too deep"));
            return;
        }
        let read = guarded(|| {
            let folder = self.store.open_folder(&id)?;
            let name = folder.properties().display_name().unwrap_or_default();
            let class = folder.properties().get(0x3613).and_then(text_of).unwrap_or_default();
            let rows = folder.hierarchy_table().map(ids).transpose()?;
            Ok((name, class, rows.unwrap_or_default()))
        });
        let (name, class, children) = match read {
            Ok(read) => read,
            Err(reason) => {
                problems.push(format!("folder {path}/{}: {reason}", hex_id(&id)));
                return;
            }
        };
        let path = match depth {
            0 => String::new(),
            1 => name,
            _ => format!("{path}/{name}"),
        };
        if depth > 0 {
            found.push(FolderInfo { id: hex_id(&id), path: path.clone(), class });
        }
        for child in children {
            match self.store.properties().make_entry_id(NodeId::from(child)) {
                Ok(child) => self.walk(child, &path, depth + 1, found, problems),
                Err(error) => problems.push(format!("{path}: {error}")),
            }
        }
    }

    /// The contents table of a folder.
    pub(super) fn rows(&self, folder: &str) -> Result<Vec<Row>, String> {
        let id = stored_id(folder).ok_or("no folder id")?;
        guarded(|| {
            let folder = self.store.open_folder(&id)?;
            let Some(table) = folder.contents_table() else { return Ok(Vec::new()) };
            let context = table.context();
            let mut rows = Vec::new();
            for row in table.rows_matrix().take(ROWS_MAX) {
                let entry =
                    self.store.properties().make_entry_id(NodeId::from(u32::from(row.id())))?;
                let mut found = Row { id: hex_id(&entry), class: None, modified: None };
                for (column, value) in context.columns().iter().zip(row.columns(context)?) {
                    let Some(value) = value else { continue };
                    match column.prop_id() {
                        0x001A => {
                            let value = table.read_column(&value, column.prop_type())?;
                            found.class = text_of(&value);
                        }
                        0x3008 => {
                            if let Stored::Time(time) =
                                table.read_column(&value, column.prop_type())?
                            {
                                found.modified = Some(time);
                            }
                        }
                        _ => {}
                    }
                }
                rows.push(found);
            }
            Ok(rows)
        })
    }

    /// One message with all its properties.
    pub(super) fn message(&self, id: &str) -> Result<Message, String> {
        let id = stored_id(id).ok_or("no message id")?;
        guarded(|| {
            let message = self.store.open_message(&id, None)?;
            let properties = message.properties();
            let page = match properties.get(0x3FFD) {
                Some(Stored::Integer32(page)) => *page,
                _ => 1252,
            };
            let mut values = BTreeMap::new();
            for (id, value) in properties.iter() {
                let name = match self.names.get(id) {
                    Some(name) => name.clone(),
                    None if *id >= 0x8000 => continue,
                    None => Name::Tag(*id),
                };
                if let Some(value) = raw(value, page) {
                    values.insert(name, value);
                }
            }
            let class = properties.message_class()?;
            let recipients = match message.recipient_table() {
                Some(table) => recipients(table, page)?,
                None => Vec::new(),
            };
            Ok(Message { class, values, recipients })
        })
    }
}

/// Runs a part of the reader; a panic of its is an error of ours.
fn guarded<T>(read: impl FnOnce() -> std::io::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the file is damaged here: the reader gave up".to_owned()),
    }
}

/// The names of the properties that the file gave an id of its own.
fn names(map: &dyn NamedPropertyMap) -> std::io::Result<BTreeMap<u16, Name>> {
    let properties = map.properties();
    let Ok(entries) = properties.stream_entry() else { return Ok(BTreeMap::new()) };
    let sets = properties.stream_guid().unwrap_or_default();
    let mut names = BTreeMap::new();
    for entry in entries {
        let set = match entry.guid() {
            NamedPropertyGuid::None => Uuid::nil(),
            NamedPropertyGuid::Mapi => standard_set(0x0002_0328),
            NamedPropertyGuid::PublicStrings => standard_set(0x0002_0329),
            // The reader's own look-up adds the three fixed sets a second time.
            NamedPropertyGuid::GuidIndex(index) => match sets.get(usize::from(index)) {
                Some(set) => uuid(set),
                None => continue,
            },
        };
        let name = match entry.id() {
            NamedPropertyId::Number(number) => Name::Lid(set, number),
            NamedPropertyId::StringOffset(offset) => {
                Name::Text(set, properties.lookup_string(offset)?.to_string())
            }
        };
        names.insert(entry.prop_id(), name);
    }
    Ok(names)
}

fn standard_set(head: u128) -> Uuid {
    Uuid::from_u128(head << 96 | 0x0000_0000_C000_0000_0000_0046)
}

fn uuid(set: &GuidValue) -> Uuid {
    Uuid::from_fields(set.data1(), set.data2(), set.data3(), set.data4())
}

fn ids(table: &Rc<dyn TableContext>) -> std::io::Result<Vec<u32>> {
    Ok(table.rows_matrix().take(ROWS_MAX).map(|row| u32::from(row.id())).collect())
}

fn recipients(table: &Rc<dyn TableContext>, page: i32) -> std::io::Result<Vec<Recipient>> {
    let context = table.context();
    let mut found = Vec::new();
    for row in table.rows_matrix().take(ROWS_MAX) {
        let mut values: BTreeMap<u16, Raw> = BTreeMap::new();
        for (column, value) in context.columns().iter().zip(row.columns(context)?) {
            let wanted = matches!(column.prop_id(), 0x0C15 | 0x3001 | 0x3002 | 0x3003 | 0x39FE);
            let Some(value) = value.filter(|_| wanted) else { continue };
            let value = table.read_column(&value, column.prop_type())?;
            values.extend(raw(&value, page).map(|value| (column.prop_id(), value)));
        }
        let text = |id| match values.get(&id) {
            Some(Raw::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let smtp = text(0x39FE);
        let plain =
            if text(0x3002).eq_ignore_ascii_case("EX") { String::new() } else { text(0x3003) };
        found.push(Recipient {
            kind: match values.get(&0x0C15) {
                Some(Raw::Integer(kind)) => *kind,
                _ => 1,
            },
            name: text(0x3001),
            address: if smtp.is_empty() { plain } else { smtp },
        });
    }
    Ok(found)
}

fn text_of(value: &Stored) -> Option<String> {
    match raw(value, 1252) {
        Some(Raw::Text(text)) => Some(text),
        _ => None,
    }
}

/// The plain form of a stored value; `None` for what no property needs.
fn raw(value: &Stored, page: i32) -> Option<Raw> {
    Some(match value {
        Stored::Integer16(value) => Raw::Integer(i64::from(*value)),
        Stored::Integer32(value) => Raw::Integer(i64::from(*value)),
        Stored::Integer64(value) => Raw::Integer(*value),
        Stored::Floating64(value) => Raw::Double(*value),
        Stored::Boolean(value) => Raw::Boolean(*value),
        Stored::String8(value) => Raw::Text(decoded(value.buffer(), page)),
        Stored::Unicode(value) => Raw::Text(plain(&value.to_string())),
        Stored::Time(value) => Raw::Time(*value),
        Stored::Binary(value) => Raw::Binary(value.buffer().to_vec()),
        Stored::MultipleUnicode(values) => {
            Raw::Texts(values.iter().map(|value| plain(&value.to_string())).collect())
        }
        Stored::MultipleString8(values) => {
            Raw::Texts(values.iter().map(|value| decoded(value.buffer(), page)).collect())
        }
        _ => return None,
    })
}

/// Text of an old file, in the code page of its message.
fn decoded(bytes: &[u8], page: i32) -> String {
    let name = match page {
        65001 => "utf-8".to_owned(),
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        page => format!("windows-{page}"),
    };
    let decode = charset_decoder(name.as_bytes()).or_else(|| charset_decoder(b"windows-1252"));
    let text =
        decode.map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), |decode| decode(bytes));
    plain(&text)
}

fn plain(text: &str) -> String {
    text.trim_end_matches('\0').to_owned()
}

/// The 24 bytes of an entry id as Outlook shows them.
fn hex_id(id: &StoredId) -> String {
    let bytes: Vec<u8> = Vec::try_from(id).unwrap_or_default();
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn stored_id(text: &str) -> Option<StoredId> {
    let bytes: Option<Vec<u8>> = (0..text.len() / 2)
        .map(|at| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok())
        .collect();
    StoredId::try_from(bytes?.as_slice()).ok()
}
