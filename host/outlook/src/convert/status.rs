//! Task status and show-time-as: choices of Outlook against state and status of a record.
//!
//! Source of the values: the tables in `docs/guide/outlook.md`. Every choice that a record can show
//! maps to itself through the record, so that nothing goes back and forth.

/// Task status of Outlook: not started.
pub(crate) const NOT_STARTED: i32 = 0;
/// Complete.
pub(crate) const COMPLETE: i32 = 2;
/// Deferred.
pub(crate) const DEFERRED: i32 = 4;
/// Show time as: free.
pub(crate) const FREE: i32 = 0;
/// Busy.
pub(crate) const BUSY: i32 = 2;
/// Working elsewhere, which a record cannot say.
pub(crate) const ELSEWHERE: i32 = 4;

/// The state of a completed activity.
pub(crate) const STATE_COMPLETED: i32 = 1;
/// The state of a cancelled activity.
pub(crate) const STATE_CANCELED: i32 = 2;

/// Outlook's task status with the state and status of a `task`.
const TASK: [(i32, i32, i32); 5] = [(0, 0, 2), (1, 0, 3), (2, 1, 5), (3, 0, 4), (4, 0, 7)];
/// Outlook's show-time-as with the state and status of an `appointment`.
const SHOWN: [(i32, i32, i32); 4] = [(0, 0, 1), (1, 0, 2), (2, 3, 5), (3, 3, 6)];

/// What Outlook shows for a record that is a task there.
pub(crate) fn task_status(table: &str, state: i32, status: i32) -> i32 {
    if table == "task" {
        // Outlook has no "cancelled": the item stays, and shows that it is put off.
        let found = TASK.iter().find(|(_, s, reason)| (*s, *reason) == (state, status));
        return found.map_or(if state == STATE_CANCELED { DEFERRED } else { NOT_STARTED }, |f| f.0);
    }
    // Phone calls, letters and faxes are done or not; a cancelled one is over.
    if state == 0 { NOT_STARTED } else { COMPLETE }
}

/// The state and status that a choice of Outlook means; the status is the default one of the state
/// where it is absent.
pub(crate) fn task_state(table: &str, choice: i32) -> (i32, Option<i32>) {
    if table == "task" {
        let found = TASK.iter().find(|(shown, ..)| *shown == choice);
        return found.map_or((0, Some(2)), |(_, state, status)| (*state, Some(*status)));
    }
    (if choice == COMPLETE { STATE_COMPLETED } else { 0 }, None)
}

/// What a record of `table` would show after Outlook's choice was written to it.
pub(crate) fn task_round(table: &str, choice: i32) -> i32 {
    let (state, status) = task_state(table, choice);
    task_status(table, state, status.unwrap_or_default())
}

/// What Outlook shows for an appointment; `None` leaves what it shows (a completed one).
pub(crate) fn shown_as(state: i32, status: i32) -> Option<i32> {
    match state {
        STATE_COMPLETED => None,
        // Cancelled: the time is free again.
        STATE_CANCELED => Some(FREE),
        _ => {
            let found = SHOWN.iter().find(|(_, s, reason)| (*s, *reason) == (state, status));
            Some(found.map_or(BUSY, |f| f.0))
        }
    }
}

/// The state and status that a choice of Outlook means.
pub(crate) fn shown_state(choice: i32) -> (i32, i32) {
    let choice = if choice == ELSEWHERE { BUSY } else { choice };
    let found = SHOWN.iter().find(|(shown, ..)| *shown == choice);
    found.map_or((3, 5), |(_, state, status)| (*state, *status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_statuses_of_the_reference_table() {
        let rows = [(0, 0, 2), (1, 0, 3), (2, 1, 5), (3, 0, 4), (4, 0, 7)];
        for (shown, state, status) in rows {
            assert_eq!(task_state("task", shown), (state, Some(status)), "status {shown}");
            assert_eq!(task_status("task", state, status), shown, "{state}/{status}");
        }
        assert_eq!(task_status("task", 2, 6), DEFERRED, "cancelled");
    }

    #[test]
    fn shown_times_of_the_reference_table() {
        let rows = [(0, 0, 1), (1, 0, 2), (2, 3, 5), (3, 3, 6)];
        for (shown, state, status) in rows {
            assert_eq!(shown_state(shown), (state, status), "show time as {shown}");
            assert_eq!(shown_as(state, status), Some(shown), "{state}/{status}");
        }
        assert_eq!(shown_state(ELSEWHERE), (3, 5));
        assert_eq!(shown_as(1, 3), None, "a completed one leaves the item alone");
        assert_eq!(shown_as(2, 4), Some(FREE), "a cancelled one is free");
    }

    #[test]
    fn what_a_record_shows_comes_back_to_itself() {
        for table in ["task", "phonecall", "letter", "fax"] {
            for (state, status) in [(0, 1), (0, 2), (0, 3), (0, 4), (0, 7), (1, 5), (2, 6), (2, 3)]
            {
                let shown = task_status(table, state, status);
                assert_eq!(task_round(table, shown), shown, "{table} {state}/{status}");
            }
        }
        for (state, status) in [(0, 1), (0, 2), (2, 4), (3, 5), (3, 6)] {
            let shown = shown_as(state, status).unwrap();
            let (state, status) = shown_state(shown);
            assert_eq!(shown_as(state, status), Some(shown));
        }
    }
}
