//! A plug-in that misbehaves in the way that the new row's description names: one package for all
//! attacks that the SDK allows.
//!
//! Never to be trusted anywhere but in tests.

use offstage_sdk::{Context, Entity, PluginError, plugin, random, trace};

/// Runs the attack that `description` of the new account names; does nothing for other text.
///
/// # Errors
/// Refuses when the attack is `refuse` or `huge-message`.
///
/// # Panics
/// Panics when the attack is `panic`.
#[plugin(
    type = "tests.hostile.Attack",
    step(
        key = "hostile-attack", message = "Create", table = "account",
        stage = PreOperation, deployment = Both,
    ),
)]
pub fn attack(context: &mut Context) -> Result<(), PluginError> {
    let attack = context.target()?.text("description")?.unwrap_or_default().to_owned();
    trace(&format!("attack: {attack}"));
    match attack.as_str() {
        "panic" => panic!("the plug-in gave up"),
        "loop" => spin(),
        "allocate" => allocate(),
        "recurse" => trace(&recurse(0).to_string()),
        "flood" => flood(context)?,
        "refuse" => return Err(PluginError::new("This account is refused.")),
        "huge-message" => return Err(PluginError::new("x".repeat(4 << 20))),
        "random-name" => {
            let name = random().to_string();
            context.target_mut()?.set("name", name);
        }
        _ => {}
    }
    Ok(())
}

fn spin() {
    let mut number = 1_u64;
    while number != 0 {
        // Never becomes zero: an odd number times an odd number is odd.
        number = std::hint::black_box(number.wrapping_mul(3));
    }
}

fn allocate() {
    let mut kept = Vec::new();
    loop {
        kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 16]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + frame[3] }
}

fn flood(context: &Context) -> Result<(), PluginError> {
    loop {
        context.service().create(Entity::new("task").with("subject", "again"))?;
    }
}

offstage_sdk::export!(package = "tests/hostile", plugins = [attack]);
