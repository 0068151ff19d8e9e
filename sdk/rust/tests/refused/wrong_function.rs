use offstage_sdk::plugin;

#[plugin(type = "t.A", step(key = "a", message = "Create", stage = PreOperation))]
async fn run() {}

fn main() {}
