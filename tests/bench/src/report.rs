//! Shows results as a table or as JSON.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

use crate::measure::{Rounds, Spread};
use anyhow::Result;
use comfy_table::Table;
use serde::Serialize;

/// One result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// What was done, and how often in a round.
    pub(crate) case: String,
    /// Wall time of one operation in microseconds: the product.
    pub(crate) wall_us: Spread,
    /// CPU time of one operation in microseconds: the product.
    pub(crate) cpu_us: Spread,
    /// Wall time of the floor.
    pub(crate) floor_wall_us: Option<Spread>,
    /// CPU time of the floor.
    pub(crate) floor_cpu_us: Option<Spread>,
    /// Product by floor, wall.
    pub(crate) wall_ratio: Option<f64>,
    /// Product by floor, CPU.
    pub(crate) cpu_ratio: Option<f64>,
    /// What the target says.
    pub(crate) target: String,
    /// Whether it is met; `None` when there is none.
    pub(crate) met: Option<bool>,
    /// What else was seen.
    pub(crate) note: String,
}

impl Line {
    /// A result beside its floor.
    pub(crate) fn beside(case: impl Into<String>, product: &Rounds, floor: &Rounds) -> Self {
        let mut line = Self::alone(case, product);
        let (wall, cpu) = (floor.wall(), floor.cpu());
        line.wall_ratio = Some(line.wall_us.median / wall.median);
        line.cpu_ratio = Some(line.cpu_us.median / cpu.median);
        (line.floor_wall_us, line.floor_cpu_us) = (Some(wall), Some(cpu));
        line
    }

    /// A result without a floor.
    pub(crate) fn alone(case: impl Into<String>, product: &Rounds) -> Self {
        Self {
            case: case.into(),
            wall_us: product.wall(),
            cpu_us: product.cpu(),
            floor_wall_us: None,
            floor_cpu_us: None,
            wall_ratio: None,
            cpu_ratio: None,
            target: String::new(),
            met: None,
            note: String::new(),
        }
    }

    /// The target and whether it is met.
    pub(crate) fn target(
        mut self,
        target: impl Into<String>,
        met: impl FnOnce(&Self) -> bool,
    ) -> Self {
        self.target = target.into();
        self.met = Some(met(&self));
        self
    }

    /// Something else that was seen.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// Tells that a benchmark begins.
pub(crate) fn progress(name: &str) {
    eprintln!("{name} …");
}

/// Prints all results.
pub(crate) fn print(lines: &[Line], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(lines)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "what",
        "wall us",
        "CPU us",
        "floor wall us",
        "floor CPU us",
        "wall x",
        "CPU x",
        "target",
        "met",
        "note",
    ]);
    for line in lines {
        let met = line.met.map_or("", |met| if met { "yes" } else { "NO" });
        table.add_row([
            line.case.clone(),
            spread(line.wall_us),
            spread(line.cpu_us),
            line.floor_wall_us.map(spread).unwrap_or_default(),
            line.floor_cpu_us.map(spread).unwrap_or_default(),
            line.wall_ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            line.cpu_ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            line.target.clone(),
            met.to_owned(),
            line.note.clone(),
        ]);
    }
    println!("{table}");
    println!("Each time: the median of one operation (lowest to highest round).");
    Ok(())
}

fn spread(spread: Spread) -> String {
    let digits = |value: f64| match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    };
    format!("{} ({}-{})", digits(spread.median), digits(spread.min), digits(spread.max))
}
