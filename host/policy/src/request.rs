//! Requests of a package as questions to its permissions, and as rules that would grant them.
//!
//! Never decides.

use crate::rule::Subject;
use crate::{Capability, Column, FileAccess, OriginPattern, RuleError, Verb};
use offstage_model::registration::CapabilityDeclaration;

/// What a written capability is about, one question each. A wildcard stays one: the question is
/// whether all of it is allowed. A limit is no question.
///
/// # Errors
/// It is not usable.
pub fn questions(declaration: &CapabilityDeclaration) -> Result<Vec<Capability<'_>>, RuleError> {
    Subject::of(declaration)?;
    let mut questions = Vec::new();
    if let Some(table) = declaration.table.as_deref() {
        for verb in declaration.verbs.iter().filter_map(|verb| Verb::of(verb)) {
            let columns = declaration.columns.iter().filter(|_| verb != Verb::Delete);
            let columns = columns.map(|column| match column.as_str() {
                "*" => Column::Every,
                name => Column::Named(name),
            });
            let row = [Column::Row]
                .into_iter()
                .filter(|_| verb == Verb::Delete || declaration.columns.is_empty());
            let all = row.chain(columns);
            questions.extend(all.map(|column| Capability::Table { table, verb, column }));
        }
    }
    questions.extend(declaration.message.as_deref().map(Capability::Message));
    questions.extend(declaration.impersonate.as_deref().map(Capability::Impersonate));
    questions.extend(declaration.secret.as_deref().map(Capability::Secret));
    if let Some(directory) = declaration.directory.as_deref() {
        let access = declaration.access.iter().filter_map(|access| FileAccess::of(access));
        questions.extend(access.map(|access| Capability::File { directory, access }));
    }
    let origin = declaration.http.as_deref().and_then(|text| OriginPattern::parse(text).ok());
    questions.extend(origin.map(|pattern| Capability::Http(pattern.as_question())));
    Ok(questions)
}

/// A written capability as an inline table of TOML, without its reason: an item of a grant.
#[must_use]
pub fn rule_line(declaration: &CapabilityDeclaration) -> String {
    let quoted = |text: &String| toml::Value::String(text.clone()).to_string();
    let list = |texts: &[String]| {
        let quoted: Vec<String> = texts.iter().map(quoted).collect();
        format!("[{}]", quoted.join(", "))
    };
    let texts = [
        ("table", &declaration.table),
        ("message", &declaration.message),
        ("impersonate", &declaration.impersonate),
        ("directory", &declaration.directory),
        ("http", &declaration.http),
        ("secret", &declaration.secret),
        ("limit", &declaration.limit),
    ];
    let lists = [
        ("verbs", &declaration.verbs),
        ("columns", &declaration.columns),
        ("access", &declaration.access),
    ];
    let numbers = [
        ("bytes_max", declaration.bytes_max),
        ("files_max", declaration.files_max),
        ("value", declaration.value),
    ];
    let texts = texts.iter().filter_map(|(key, text)| Some((key, quoted(text.as_ref()?))));
    let lists = lists.iter().filter(|(_, texts)| !texts.is_empty());
    let lists = lists.map(|(key, texts)| (key, list(texts)));
    let numbers =
        numbers.iter().filter_map(|(key, number)| Some((key, number.as_ref()?.to_string())));
    let keys = texts.chain(lists).chain(numbers).map(|(key, value)| format!("{key} = {value}"));
    format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
}
