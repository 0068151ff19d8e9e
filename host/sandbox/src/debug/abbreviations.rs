//! Makes nested scopes visible to gdb: gives the compile units of a component a base address.
//!
//! wasmtime rewrites a plug-in's DWARF for the native code and leaves `DW_AT_low_pc` out of compile
//! units with ranges; gdb then ignores every range, and with it the locals of nested scopes. The
//! attribute is renamed to `DW_AT_entry_pc`, which wasmtime keeps and gdb takes for the base. One
//! byte per abbreviation changes, so no offset does.
//!
//! Never fails: a section that cannot be read to its end is changed as far as it was read.

use std::ops::Range;
use wasmparser::{Parser, Payload};

const TAG_COMPILE_UNIT: u64 = 0x11;
const LOW_PC: u64 = 0x11;
const ENTRY_PC: u8 = 0x52;
const RANGES: u64 = 0x55;
/// Its value stands in the abbreviation itself.
const FORM_IMPLICIT_CONST: u64 = 0x21;
const SECTION: &str = ".debug_abbrev";

/// `component` with base addresses in the compile units of all its modules.
pub(crate) fn with_base_addresses(component: &[u8]) -> Vec<u8> {
    let mut changed = component.to_vec();
    for section in sections(component) {
        rename_base_addresses(&mut changed[section]);
    }
    changed
}

/// Whether a debugger can find source lines in a component.
#[must_use]
pub fn has_debug_info(component: &[u8]) -> bool {
    !sections(component).is_empty()
}

/// Where the abbreviations of all modules are.
fn sections(component: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::CustomSection(section)) if section.name() == SECTION => {
                let start = section.data_offset();
                found.push(start..start + section.data().len());
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found
}

fn rename_base_addresses(section: &mut [u8]) {
    let mut reader = Reader { bytes: section, at: 0 };
    let mut low_pcs = Vec::new();
    while reader.at < reader.bytes.len() {
        // A zero ends the table of one unit; the next table follows.
        match reader.abbreviation() {
            Some(Some(at)) => low_pcs.push(at),
            Some(None) => {}
            None => break,
        }
    }
    for at in low_pcs {
        section[at] = ENTRY_PC;
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Reads one abbreviation; returns where the name of the attribute to rename is, if there is
    /// one. `None` at damaged bytes.
    fn abbreviation(&mut self) -> Option<Option<usize>> {
        if self.number()? == 0 {
            return Some(None);
        }
        let is_unit = self.number()? == TAG_COMPILE_UNIT;
        self.byte()?;
        let (mut low_pc, mut has_ranges) = (None, false);
        loop {
            let start = self.at;
            let (name, form) = (self.number()?, self.number()?);
            if form == FORM_IMPLICIT_CONST {
                self.number()?;
            }
            match name {
                0 if form == 0 => break,
                LOW_PC => low_pc = Some(start),
                RANGES => has_ranges = true,
                _ => {}
            }
        }
        Some(low_pc.filter(|_| is_unit && has_ranges))
    }

    /// LEB128; for a signed one only the length counts here.
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_compile_units_with_ranges_change() {
        // Two tables: a unit with ranges and a constant, a subprogram; then a unit without ranges.
        let before: &[u8] = &[
            1, 0x11, 1, 0x13, 0x21, 0x81, 0x01, 0x11, 0x01, 0x55, 0x17, 0, 0, //
            2, 0x2e, 0, 0x11, 0x01, 0x55, 0x17, 0, 0, 0, //
            1, 0x11, 1, 0x11, 0x01, 0x12, 0x06, 0, 0, 0,
        ];
        let mut after = before.to_vec();
        rename_base_addresses(&mut after);
        let different: Vec<usize> = (0..before.len()).filter(|&i| before[i] != after[i]).collect();
        assert_eq!(different, [7]);
        assert_eq!(after[7], ENTRY_PC);
    }

    #[test]
    fn damaged_sections_end_where_they_end() {
        for damaged in [&[1, 0x11, 1, 0x11][..], &[0x80; 40], &[1, 0x11, 1, 0x11, 0x01, 0x55]] {
            let mut bytes = damaged.to_vec();
            rename_base_addresses(&mut bytes);
            assert_eq!(bytes, damaged);
        }
        assert_eq!(with_base_addresses(b"no component"), b"no component");
    }
}
