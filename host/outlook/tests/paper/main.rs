//! The paper, row by row: every table of it has a test that walks its rows (`rows.txt`) through the
//! engine, a mailbox and a server. Never looks at the rules' own data; `rules.rs` does.
#![expect(clippy::print_stdout, reason = "a walk says at which row it failed")]

mod actions;
mod appendix_b;
mod appendix_c;
mod cache;
mod clients;
mod deletions;
mod faq;
mod mapping_forms;
mod mappings;
mod notes;
#[path = "../support/mod.rs"]
mod support;
mod task_like;
mod terms;

/// A row of the paper: its name, and what shows that it holds.
type Case = (&'static str, fn());

const ROWS: &str = include_str!("rows.txt");

/// The list of rows: table and row.
fn rows() -> Vec<(&'static str, &'static str)> {
    let lines = ROWS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(" | ").expect("a line is 'table | row'")).collect()
}

/// Runs the cases of a table. Each row of the list has one, and each case is a row.
fn walk(table: &str, cases: &[Case]) {
    let names: Vec<&str> = cases.iter().map(|(row, _)| *row).collect();
    walk_rows(table, &names, |row| {
        let (_, case) = cases.iter().find(|(name, _)| *name == row).expect("it is a row");
        case();
    });
}

/// The same for rows that are data.
fn walk_rows(table: &str, names: &[&str], mut run: impl FnMut(&str)) {
    let wanted: Vec<&str> =
        rows().into_iter().filter(|(of, _)| *of == table).map(|(_, row)| row).collect();
    assert_eq!(names, wanted, "the rows of '{table}' and its cases");
    for row in names {
        println!("{table} | {row}");
        run(row);
    }
}

macro_rules! tables {
    ($($name:ident: $table:literal => $walk:expr;)*) => {
        const WALKED: &[&str] = &[$($table),*];
        $(#[test] fn $name() { $walk($table) })*
    };
}

tables! {
    id_mapping_table: "IDMappingTable" => cache::id_mapping_table;
    outlook_sync_table: "OutlookSyncTable" => cache::outlook_sync_table;
    merging_overlapping_changes: "Merging Overlapping Changes" => cache::merging;
    primary_client: "Primary Client" => |t| walk(t, &actions::PRIMARY_CLIENT);
    received_or_sent: "Received/Sent E-mails" => |t| walk(t, &actions::RECEIVED_OR_SENT);
    prose: "Prose" => |t| walk(t, &clients::PROSE);
    tasks: "Tasks" => mappings::tasks;
    appointments: "Appointments" => mappings::appointments;
    contacts: "Contacts" => mappings::contacts;
    notes_beside_the_tables: "Notes" => |t| walk(t, &notes::NOTES);
    deletions_in_outlook: "Deletions That Occur in Outlook" => |t| walk(t, &deletions::IN_OUTLOOK);
    deletions_in_crm: "Deletions That Occur in CRM" => |t| walk(t, &deletions::IN_CRM);
    appendix_a: "Appendix A" => |t| walk(t, &terms::TERMS);
    appendix_b_is_what_happens: "Appendix B" => appendix_b::rows;
    appendix_c: "Appendix C" => |t| walk(t, &appendix_c::SETTINGS);
    questions: "Frequently Asked Questions" => |t| walk(t, &faq::QUESTIONS);
}

#[test]
fn no_table_of_the_paper_is_forgotten() {
    let mut listed: Vec<&str> = rows().into_iter().map(|(table, _)| table).collect();
    listed.dedup();
    assert_eq!(listed, WALKED);
    assert_eq!(rows().len(), 135);
}
