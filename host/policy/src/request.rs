//! Requests of a package as questions to its permissions, and as rules that would grant them.
//!
//! Never decides.

use crate::rule::Subject;
use crate::{Capability, Column, FileAccess, OriginPattern, RuleError, Verb};
use offstage_model::registration::{CapabilityDeclaration, PackageDeclaration};
use std::collections::BTreeSet;

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
    if let Some(name) = declaration.secret.as_deref() {
        let origins = declaration.origins.iter().filter_map(|o| OriginPattern::parse(o).ok());
        let to: Vec<_> = origins.map(|pattern| Some(pattern.as_question())).collect();
        let anywhere = to.is_empty().then_some(None);
        questions.extend(to.into_iter().chain(anywhere).map(|to| Capability::Secret { name, to }));
    }
    if let Some(directory) = declaration.directory.as_deref() {
        let access = declaration.access.iter().filter_map(|access| FileAccess::of(access));
        questions.extend(access.map(|access| Capability::File { directory, access }));
    }
    let origin = declaration.http.as_deref().and_then(|text| OriginPattern::parse(text).ok());
    questions.extend(origin.map(|pattern| Capability::Http(pattern.as_question())));
    Ok(questions)
}

/// The rule that grants all that `request`, one of `package`, asks for, as an item of a grant. A secret
/// is asked for by its name; the grant writes out where it may be sent: the origins that the package
/// asks for beside it.
#[must_use]
pub fn grant_line(package: &PackageDeclaration, request: &CapabilityDeclaration) -> String {
    let mut rule = request.clone();
    if rule.secret.is_some() && rule.origins.is_empty() {
        let origins: BTreeSet<&String> =
            package.all_requests().filter_map(|other| other.http.as_ref()).collect();
        rule.origins = origins.into_iter().cloned().collect();
    }
    rule_line(&rule)
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
        ("origins", &declaration.origins),
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
