//! What the sync cache keeps of earlier runs: the last 500 and the last 90 days, whichever is more.

use super::support::{Client, DAY, NOW, Server};
use offstage_model::Timestamp;
use offstage_store::UndoRow;

/// Runs that begin `days` before now, each with an undo entry and a note.
fn earlier(client: &mut Client, runs: usize, days: i64) -> Vec<i64> {
    let began = Timestamp(NOW - days * DAY);
    let made = client.engine.cache().write(|tx| {
        let mut numbers = Vec::new();
        for _ in 0..runs {
            let run = tx.begin_run(began, "schedule")?;
            tx.add_undo(run, &UndoRow { map_id: 1, json: "{}".to_owned() })?;
            tx.add_note(began, None, &format!("{{\"run\":{run}}}"))?;
            numbers.push(run);
        }
        Ok(numbers)
    });
    made.expect("runs")
}

/// Runs and notes, and the runs of these numbers that can still be undone.
fn kept(client: &mut Client, numbers: &[i64]) -> (usize, usize, usize) {
    let kept = client.engine.cache().write(|tx| {
        let mut undo = 0;
        for run in numbers {
            undo += tx.undo_rows(*run)?.len();
        }
        Ok((tx.runs(usize::MAX)?.len(), tx.notes(usize::MAX)?.len(), undo))
    });
    kept.expect("a cache")
}

#[test]
fn old_runs_go_when_500_later_ones_are_there() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let numbers = earlier(&mut client, 600, 91);
    assert_eq!(kept(&mut client, &numbers), (600, 600, 600));
    let run = client.sync().run;
    assert!(run > 600, "the numbers go on");
    // 499 of them, and the one that was just made.
    let (runs, _, undo) = kept(&mut client, &numbers);
    assert_eq!((runs, undo), (500, 499));
    assert_eq!(kept(&mut client, &numbers[..101]).2, 0, "the oldest went");
    // A plan is no run, and forgets nothing.
    client.engine.plan_only().expect("a plan");
    assert_eq!(kept(&mut client, &numbers).0, 500);
}

#[test]
fn runs_of_the_last_ninety_days_stay_however_many_they_are() {
    let server = Server::new();
    let mut client = Client::primary(&server);
    let old = earlier(&mut client, 50, 91);
    let young = earlier(&mut client, 600, 89);
    client.sync();
    assert_eq!(kept(&mut client, &old), (601, 600, 0), "notes go with their runs");
    assert_eq!(kept(&mut client, &young).2, 600);
}
