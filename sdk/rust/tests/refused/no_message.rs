use offstage_sdk::{Context, PluginError, plugin};

#[plugin(type = "t.A", step(key = "a", stage = PreOperation))]
fn run(_: &mut Context) -> Result<(), PluginError> {
    Ok(())
}

fn main() {}
