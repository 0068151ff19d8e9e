//! Cuts OData text into tokens. Never judges what a word means.

use super::invalid_at;
use offstage_model::Fault;

/// One token with the position of its first character, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) position: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name, keyword, number, GUID, date or function name.
    Word(String),
    /// Text in single quotes, without them.
    Text(String),
    /// One of `( ) , / = [ ]`.
    Mark(char),
    /// The end of the text.
    End,
}

/// All tokens, ended by one [`TokenKind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut list = Vec::new();
    let mut chars = text.chars().enumerate().map(|(i, c)| (i + 1, c)).peekable();
    while let Some((position, c)) = chars.next() {
        let kind = match c {
            ' ' | '\t' | '\n' | '\r' => continue,
            '(' | ')' | ',' | '/' | '=' | '[' | ']' => TokenKind::Mark(c),
            '\'' => {
                let mut content = String::new();
                loop {
                    match chars.next() {
                        None => return Err(invalid_at(position, "The text has no closing quote")),
                        // Two quotes stand for one.
                        Some((_, '\'')) => match chars.next_if(|(_, next)| *next == '\'') {
                            Some(_) => content.push('\''),
                            None => break,
                        },
                        Some((_, c)) => content.push(c),
                    }
                }
                TokenKind::Text(content)
            }
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some((_, c)) = chars.next_if(|(_, c)| is_word(*c)) {
                    word.push(c);
                }
                TokenKind::Word(word)
            }
            c => {
                let shown = c.escape_debug();
                return Err(invalid_at(position, &format!("'{shown}' is not expected here")));
            }
        };
        list.push(Token { kind, position });
    }
    list.push(Token { kind: TokenKind::End, position: text.chars().count() + 1 });
    Ok(list)
}

/// Letters of names, and what dates, numbers and GUIDs are made of.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-' | '+')
}

impl TokenKind {
    /// What an error calls the token.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) => format!("'{}'", word.chars().take(40).collect::<String>()),
            Self::Text(_) => "a text".to_owned(),
            Self::Mark(mark) => format!("'{mark}'"),
            Self::End => "the end".to_owned(),
        }
    }
}
