use offstage_sdk::{Context, PluginError, plugin};

#[plugin(type = "t.A", step(key = "a", message = "Create", stage = PreOperation), step(key = "a", message = "Update", stage = PreOperation))]
fn run(_: &mut Context) -> Result<(), PluginError> {
    Ok(())
}

fn main() {}
