use offstage_sdk::{Context, PluginError, plugin};

#[plugin(type = "t.A", step(key = "a", message = "Update", stage = PreOperation, image(kind = Post, alias = "x")))]
fn run(_: &mut Context) -> Result<(), PluginError> {
    Ok(())
}

fn main() {}
