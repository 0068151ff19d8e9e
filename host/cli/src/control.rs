//! Commands that arrive at the control endpoint of a running server or host.
//!
//! Never accepts what is not a command of this program.

use crate::commands::Work;
use crate::error::CliError;
use crate::progress::{Event, Forward};
use crate::running::Answer;
use crate::workspace::Workspace;
use offstage_server::Control;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::mpsc::channel;

/// Runs commands on the workspace of this process.
pub(crate) struct Commands(pub(crate) Arc<Workspace>);

impl Control for Commands {
    fn run(&self, command: Json, progress: &dyn Fn(Json)) -> Json {
        let work: Work = match serde_json::from_value(command) {
            Ok(work) => work,
            Err(error) => {
                let error = CliError::usage(format!("The command cannot be read: {error}."))
                    .hint("The running process may have another version; restart it.");
                return answer(Err(error));
            }
        };
        // Progress may come from any thread, and `progress` belongs to this one.
        let (events, received) = channel::<Event>();
        std::thread::scope(|scope| {
            let workspace = &*self.0;
            let worker = scope.spawn(move || {
                let sender = std::sync::Mutex::new(events);
                let forward = Forward(move |event| {
                    let sender = sender.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    drop(sender.send(event));
                });
                work.run(workspace, &forward)
            });
            for event in received {
                progress(json!(event));
            }
            let result = worker.join().unwrap_or_else(|_| {
                Err(CliError::new(
                    crate::exit::Exit::Internal,
                    "The command broke; the log has the details.",
                ))
            });
            answer(result)
        })
    }
}

fn answer(result: Result<crate::output::Output, CliError>) -> Json {
    let answer = match result {
        Ok(output) => Answer::Output(output),
        Err(error) => Answer::Error(error),
    };
    json!(answer)
}
