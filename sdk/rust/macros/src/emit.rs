//! Writes what `#[plugin]` stands for: the function as it is, and its definition beside it.
//!
//! The declaration is one line of JSON; what a host reads and what the testkit runs are made from
//! the same parsed steps, so that they cannot differ.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{ItemFn, LitStr};

use crate::parse::{Arguments, Choice, Image, Request, Step};

/// Makes the attribute's output.
pub(crate) fn emit(arguments: &Arguments, function: &ItemFn) -> TokenStream {
    let name = &function.sig.ident;
    let visibility = &function.vis;
    let type_name = &arguments.type_name;
    let steps = arguments.steps.iter().map(step_tokens);
    let declaration = declaration(arguments);
    let documentation = format!("The plug-in type `{}`.", type_name.value());
    quote! {
        #function

        #[doc = #documentation]
        #[allow(non_camel_case_types, reason = "it is found by the name of the function")]
        #visibility enum #name {}

        impl #name {
            /// The plug-in type with its declared steps.
            pub const PLUGIN: ::offstage_sdk::PluginDefinition = ::offstage_sdk::PluginDefinition {
                type_name: #type_name,
                run: #name,
                steps: &[#(#steps),*],
                declaration: #declaration,
            };
        }
    }
}

fn variant(type_name: &str, choice: &Choice) -> TokenStream {
    let type_name = Ident::new(type_name, Span::call_site());
    let variant = Ident::new(choice.name, Span::call_site());
    quote!(::offstage_sdk::#type_name::#variant)
}

fn text(literal: Option<&LitStr>) -> String {
    literal.map(LitStr::value).unwrap_or_default()
}

fn step_tokens(step: &Step) -> TokenStream {
    let Step { key, message, rank, filtering, .. } = step;
    let table = text(step.table.as_ref());
    let stage = variant("Stage", &step.stage);
    let mode = variant("Mode", &step.mode);
    let deployment = variant("Deployment", &step.deployment);
    let playback = variant("Playback", &step.playback);
    let on_nested_error = variant("NestedError", &step.on_nested_error);
    let configuration = text(step.configuration.as_ref());
    let images = step.images.iter().map(image_tokens);
    quote! {
        ::offstage_sdk::StepDefinition {
            key: #key,
            message: #message,
            table: #table,
            stage: #stage,
            mode: #mode,
            rank: #rank,
            deployment: #deployment,
            filtering: &[#(#filtering),*],
            playback: #playback,
            on_nested_error: #on_nested_error,
            configuration: #configuration,
            images: &[#(#images),*],
        }
    }
}

fn image_tokens(image: &Image) -> TokenStream {
    let Image { alias, attributes, .. } = image;
    let kind = variant("ImageKind", &image.kind);
    quote! {
        ::offstage_sdk::ImageDefinition {
            alias: #alias,
            kind: #kind,
            attributes: &[#(#attributes),*],
        }
    }
}

fn declaration(arguments: &Arguments) -> String {
    let steps: Vec<String> = arguments.steps.iter().map(step_json).collect();
    let name = quoted(&arguments.type_name.value());
    let requests: Vec<String> = arguments.requests.iter().map(request_json).collect();
    if requests.is_empty() {
        return format!(r#"{{"type":{name},"steps":[{}]}}"#, steps.join(","));
    }
    format!(
        r#"{{"type":{name},"steps":[{}],"requests":[{}]}}"#,
        steps.join(","),
        requests.join(",")
    )
}

fn request_json(request: &Request) -> String {
    let texts = request.texts.iter().map(|(key, text)| (*key, quoted(&text.value())));
    let lists = request.lists.iter().map(|(key, list)| {
        let list: Vec<String> = list.iter().map(|word| quoted(word)).collect();
        (*key, format!("[{}]", list.join(",")))
    });
    let numbers = request.numbers.iter().map(|(key, number)| (*key, number.to_string()));
    let keys: Vec<String> =
        texts.chain(lists).chain(numbers).map(|(key, json)| format!("\"{key}\":{json}")).collect();
    format!("{{{}}}", keys.join(","))
}

fn step_json(step: &Step) -> String {
    let images: Vec<String> = step.images.iter().map(image_json).collect();
    format!(
        concat!(
            r#"{{"key":{},"message":{},"table":{},"stage":{},"mode":{},"rank":{},"deployment":{},"#,
            r#""filtering":{},"playback":{},"on_nested_error":{},"configuration":{},"images":[{}]}}"#
        ),
        quoted(&step.key.value()),
        quoted(&step.message.value()),
        quoted(&text(step.table.as_ref())),
        step.stage.declared,
        step.mode.declared,
        step.rank,
        step.deployment.declared,
        quoted_list(&step.filtering),
        quoted(step.playback.declared),
        quoted(step.on_nested_error.declared),
        quoted(&text(step.configuration.as_ref())),
        images.join(",")
    )
}

fn image_json(image: &Image) -> String {
    format!(
        r#"{{"alias":{},"kind":{},"attributes":{}}}"#,
        quoted(&image.alias.value()),
        quoted(image.kind.declared),
        quoted_list(&image.attributes)
    )
}

fn quoted_list(texts: &[LitStr]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(&text.value())).collect();
    format!("[{}]", texts.join(","))
}

/// Writes a JSON string; control characters are escaped, so that a declaration stays one line.
fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}
