//! Reads the arguments of `#[plugin]`, and names the place of what it cannot read.
//!
//! It never judges a combination: that is `check`'s part.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitInt, LitStr, Result, Token, parenthesized};

/// What may stand for one thing: the name in the attribute, and its form in the declaration.
type Choices = &'static [(&'static str, &'static str)];

const STAGES: Choices = &[
    ("PreValidation", "10"),
    ("PreOperation", "20"),
    ("MainOperation", "30"),
    ("PostOperation", "40"),
];
const DEPLOYMENTS: Choices = &[("Server", "0"), ("Offline", "1"), ("Both", "2")];
const MODES: Choices = &[("Synchronous", "0"), ("Asynchronous", "1")];
const PLAYBACKS: Choices = &[
    ("Reconcile", "reconcile"),
    ("Authoritative", "authoritative"),
    ("Classic", "classic"),
    ("Once", "once"),
];
const NESTED_ERRORS: Choices = &[("Fail", "fail"), ("Catch", "catch")];
const IMAGE_KINDS: Choices = &[("Pre", "pre"), ("Post", "post"), ("Both", "both")];

/// A name out of a list, with its place.
#[derive(Clone)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) declared: &'static str,
    pub(crate) span: Span,
}

impl Choice {
    fn first(choices: Choices, span: Span) -> Self {
        Self { name: choices[0].0, declared: choices[0].1, span }
    }

    fn parse(input: ParseStream<'_>, what: &str, choices: Choices) -> Result<Self> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let ident: Ident = input
            .parse()
            .map_err(|error| Error::new(error.span(), format!("{what} is one of {names}")))?;
        let found = choices.iter().find(|(name, _)| ident == name);
        let (name, declared) = found.ok_or_else(|| {
            Error::new(ident.span(), format!("unknown {what} `{ident}`; it is one of {names}"))
        })?;
        Ok(Self { name, declared, span: ident.span() })
    }
}

pub(crate) struct Arguments {
    pub(crate) type_name: LitStr,
    pub(crate) steps: Vec<Step>,
    pub(crate) requests: Vec<Request>,
}

/// What the plug-in asks the operator to allow. The host checks which keys belong together; here
/// each is given at most once.
pub(crate) struct Request {
    /// Keys with one text, in order: the kind first.
    pub(crate) texts: Vec<(&'static str, LitStr)>,
    /// Keys with a list of texts.
    pub(crate) lists: Vec<(&'static str, Vec<String>)>,
    /// Keys with a number.
    pub(crate) numbers: Vec<(&'static str, u64)>,
}

pub(crate) struct Step {
    pub(crate) key: LitStr,
    pub(crate) message: LitStr,
    pub(crate) table: Option<LitStr>,
    pub(crate) stage: Choice,
    pub(crate) mode: Choice,
    pub(crate) deployment: Choice,
    pub(crate) rank: i32,
    pub(crate) filtering: Vec<LitStr>,
    pub(crate) playback: Choice,
    pub(crate) on_nested_error: Choice,
    pub(crate) configuration: Option<LitStr>,
    pub(crate) images: Vec<Image>,
}

pub(crate) struct Image {
    pub(crate) alias: LitStr,
    pub(crate) kind: Choice,
    pub(crate) attributes: Vec<LitStr>,
}

/// Sets `slot` once; a second time is an error at the second place.
fn set<T>(slot: &mut Option<T>, name: &Ident, value: T) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(Error::new(name.span(), format!("`{name}` is given twice")));
    }
    Ok(())
}

fn assigned<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn chosen(input: ParseStream<'_>, what: &str, choices: Choices) -> Result<Choice> {
    input.parse::<Token![=]>()?;
    Choice::parse(input, what, choices)
}

fn list(input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    let content;
    parenthesized!(content in input);
    let names: Punctuated<LitStr, Token![,]> = Punctuated::parse_terminated(&content)?;
    Ok(names.into_iter().collect())
}

/// Reads `name …, name …` and hands each name to `item`, which reads the rest of it.
fn items(
    input: ParseStream<'_>,
    mut item: impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    while !input.is_empty() {
        let name = input.call(Ident::parse_any)?;
        item(&name, input)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn unknown(name: &Ident, place: &str, known: &str) -> Error {
    Error::new(name.span(), format!("`{place}` has no `{name}`; it has {known}"))
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let span = input.span();
        let mut type_name = None;
        let (mut steps, mut requests) = (Vec::new(), Vec::new());
        items(input, |name, input| {
            match name.to_string().as_str() {
                "request" => {
                    let content;
                    parenthesized!(content in input);
                    requests.push(Request::parse(name.span(), &content)?);
                }
                "type" => set(&mut type_name, name, assigned(input)?)?,
                "step" => {
                    let content;
                    parenthesized!(content in input);
                    steps.push(Step::parse(name.span(), &content)?);
                }
                _ => return Err(unknown(name, "plugin", "type, step, request")),
            }
            Ok(())
        })?;
        let missing = || Error::new(span, "add `type = \"vendor.area.Name\"`");
        Ok(Self { type_name: type_name.ok_or_else(missing)?, steps, requests })
    }
}

/// The kinds of a request.
const KINDS: [&str; 7] =
    ["table", "message", "impersonate", "directory", "http", "secret", "limit"];
/// The other keys with one text.
const TEXTS: [&str; 1] = ["reason"];
/// The keys with a list of words, written without quotes.
const WORDS: [&str; 2] = ["verbs", "access"];
/// The keys with a number.
const NUMBERS: [&str; 3] = ["bytes_max", "files_max", "value"];

impl Request {
    fn parse(span: Span, input: ParseStream<'_>) -> Result<Self> {
        let mut seen = std::collections::BTreeSet::new();
        let (mut texts, mut lists, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        items(input, |name, input| {
            let key = name.to_string();
            if !seen.insert(key.clone()) {
                return Err(Error::new(name.span(), format!("`{key}` is given twice")));
            }
            let known = |keys: &[&'static str]| keys.iter().find(|known| **known == key).copied();
            if let Some(key) = known(&KINDS).or_else(|| known(&TEXTS)) {
                texts.push((key, assigned::<LitStr>(input)?));
            } else if let Some(key) = known(&WORDS) {
                lists.push((key, words(input)?));
            } else if key == "columns" {
                let columns = list(input)?.iter().map(LitStr::value).collect();
                lists.push(("columns", columns));
            } else if let Some(key) = known(&NUMBERS) {
                numbers.push((key, assigned::<LitInt>(input)?.base10_parse()?));
            } else {
                let keys = "table, message, impersonate, directory, http, secret, limit, verbs, \
                            columns, access, bytes_max, files_max, value, reason";
                return Err(unknown(name, "request", keys));
            }
            Ok(())
        })?;
        if texts.iter().filter(|(key, _)| KINDS.contains(key)).count() != 1 {
            let kinds = KINDS.join(", ");
            return Err(Error::new(span, format!("a request has exactly one of {kinds}")));
        }
        match texts.iter().find(|(key, _)| *key == "reason") {
            Some((_, reason)) if !reason.value().trim().is_empty() => {
                Ok(Self { texts, lists, numbers })
            }
            _ => Err(Error::new(span, "say why: add `reason = \"…\"`")),
        }
    }
}

fn words(input: ParseStream<'_>) -> Result<Vec<String>> {
    let content;
    parenthesized!(content in input);
    let names: Punctuated<Ident, Token![,]> =
        content.parse_terminated(Ident::parse_any, Token![,])?;
    Ok(names.iter().map(ToString::to_string).collect())
}

impl Step {
    fn parse(span: Span, input: ParseStream<'_>) -> Result<Self> {
        let (mut key, mut message, mut table, mut stage) = (None, None, None, None);
        let (mut mode, mut deployment, mut rank, mut filtering) = (None, None, None, None);
        let (mut playback, mut on_nested_error, mut configuration) = (None, None, None);
        let mut images = Vec::new();
        items(input, |name, input| match name.to_string().as_str() {
            "key" => set(&mut key, name, assigned(input)?),
            "message" => set(&mut message, name, assigned(input)?),
            "table" => set(&mut table, name, assigned(input)?),
            "stage" => set(&mut stage, name, chosen(input, "stage", STAGES)?),
            "mode" => set(&mut mode, name, chosen(input, "mode", MODES)?),
            "deployment" => set(&mut deployment, name, chosen(input, "deployment", DEPLOYMENTS)?),
            "rank" => set(&mut rank, name, assigned::<LitInt>(input)?.base10_parse()?),
            "filtering" => set(&mut filtering, name, list(input)?),
            "playback" => set(&mut playback, name, chosen(input, "playback", PLAYBACKS)?),
            "on_nested_error" => {
                set(&mut on_nested_error, name, chosen(input, "on_nested_error", NESTED_ERRORS)?)
            }
            "configuration" => set(&mut configuration, name, assigned(input)?),
            "image" => {
                let content;
                parenthesized!(content in input);
                images.push(Image::parse(name.span(), &content)?);
                Ok(())
            }
            _ => Err(unknown(
                name,
                "step",
                "key, message, table, stage, mode, deployment, rank, filtering, image, playback, \
                 on_nested_error, configuration",
            )),
        })?;
        let missing = |what: &str| Error::new(span, format!("this step has no {what}"));
        Ok(Self {
            key: key.ok_or_else(|| missing("key; add `key = \"a-name-that-never-changes\"`"))?,
            message: message.ok_or_else(|| missing("message; add `message = \"Create\"`"))?,
            table,
            stage: stage.ok_or_else(|| missing("stage; add `stage = PreOperation`"))?,
            mode: mode.unwrap_or_else(|| Choice::first(MODES, span)),
            deployment: deployment.unwrap_or_else(|| Choice::first(DEPLOYMENTS, span)),
            rank: rank.unwrap_or(1),
            filtering: filtering.unwrap_or_default(),
            playback: playback.unwrap_or_else(|| Choice::first(PLAYBACKS, span)),
            on_nested_error: on_nested_error.unwrap_or_else(|| Choice::first(NESTED_ERRORS, span)),
            configuration,
            images,
        })
    }
}

impl Image {
    fn parse(span: Span, input: ParseStream<'_>) -> Result<Self> {
        let (mut alias, mut kind, mut attributes) = (None, None, None);
        items(input, |name, input| match name.to_string().as_str() {
            "alias" => set(&mut alias, name, assigned(input)?),
            "kind" => set(&mut kind, name, chosen(input, "image kind", IMAGE_KINDS)?),
            "attributes" => set(&mut attributes, name, list(input)?),
            _ => Err(unknown(name, "image", "kind, alias, attributes")),
        })?;
        let missing = |what: &str| Error::new(span, format!("this image has no {what}"));
        Ok(Self {
            alias: alias.ok_or_else(|| missing("alias; add `alias = \"pre\"`"))?,
            kind: kind.ok_or_else(|| missing("kind; add `kind = Pre`"))?,
            attributes: attributes.unwrap_or_default(),
        })
    }
}
