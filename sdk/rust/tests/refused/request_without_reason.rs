//! A request says why.
use offstage_sdk::{Context, PluginError, plugin};

#[plugin(
    type = "t.A",
    step(key = "a", message = "Create", stage = PreOperation),
    request(table = "task", verbs(create)),
)]
fn a(_context: &mut Context) -> Result<(), PluginError> {
    Ok(())
}

fn main() {}
