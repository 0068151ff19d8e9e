//! Deletion rules, both ways: the first row whose conditions all hold decides.
//!
//! Where no row of the paper propagates a deletion, the last row of the kind un-links the pair: it is
//! kept with Linked = 0 and never made again by a later change, unless it is tracked again.

use crate::item::ItemKind;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The item was deleted in Outlook.
    DeletedInOutlook,
    /// The item was un-tracked in Outlook.
    UntrackedInOutlook,
    /// The record was deleted in the CRM, or left the user's filter.
    DeletedInCrm,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The record is deleted in the CRM.
    DeleteRecord,
    /// The item is deleted in Outlook.
    DeleteItem,
    /// Neither; they are not tied any more.
    Unlink,
}

/// A condition of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// "the user designates for the item to be deleted in CRM"
    Asked,
    /// "Appointment is open/scheduled in CRM"
    OpenOrScheduled,
    /// "Appointment Start Time is in the future"
    StartsInFuture,
    /// "The user performing the delete action is the Owner or Organizer of the Appointment"
    OwnerOrOrganizer,
    /// "the Task is not completed"
    NotCompleted,
    /// "the Outlook user is not the CRM Owner of the Contact"
    NotOwner,
}

/// What is known about the pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletionFacts {
    /// The user asked for the record to be deleted.
    pub asked: bool,
    /// The record's state is open or scheduled.
    pub open_or_scheduled: bool,
    /// The appointment starts after now.
    pub starts_in_future: bool,
    /// The user owns the record.
    pub owner: bool,
    /// The user is the organizer.
    pub organizer: bool,
    /// The task is completed.
    pub completed: bool,
}

impl Condition {
    fn holds(self, facts: &DeletionFacts) -> bool {
        match self {
            Self::Asked => facts.asked,
            Self::OpenOrScheduled => facts.open_or_scheduled,
            Self::StartsInFuture => facts.starts_in_future,
            Self::OwnerOrOrganizer => facts.owner || facts.organizer,
            Self::NotCompleted => !facts.completed,
            Self::NotOwner => !facts.owner,
        }
    }
}

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionRule {
    /// What the paper says.
    pub paper: &'static str,
    /// Of which kind of item.
    pub kind: ItemKind,
    /// What happened.
    pub event: Event,
    /// All of these hold.
    pub conditions: &'static [Condition],
    /// Then this is done.
    pub outcome: Outcome,
}

const fn rule(
    (kind, event): (ItemKind, Event),
    conditions: &'static [Condition],
    outcome: Outcome,
    paper: &'static str,
) -> DeletionRule {
    DeletionRule { paper, kind, event, conditions, outcome }
}

/// "Deletion Rules" of the paper.
pub const DELETION_RULES: [DeletionRule; 16] = {
    use Condition::{
        Asked, NotCompleted, NotOwner, OpenOrScheduled, OwnerOrOrganizer, StartsInFuture,
    };
    use Event::{DeletedInCrm, DeletedInOutlook, UntrackedInOutlook};
    use ItemKind::{Appointment, Contact, Email, Task};
    use Outcome::{DeleteItem, DeleteRecord, Unlink};
    const OWN_OPEN_FUTURE: &[Condition] = &[OpenOrScheduled, StartsInFuture, OwnerOrOrganizer];
    [
        rule(
            (Contact, DeletedInOutlook),
            &[],
            Unlink,
            "A Contact that is deleted in Outlook will not be deleted in CRM",
        ),
        rule(
            (Contact, UntrackedInOutlook),
            &[Asked],
            DeleteRecord,
            "A Contact that is untracked in Outlook will be deleted in CRM if the user designates",
        ),
        rule(
            (Contact, UntrackedInOutlook),
            &[],
            Unlink,
            "A Contact that is untracked in Outlook is not deleted otherwise",
        ),
        rule(
            (Appointment, DeletedInOutlook),
            OWN_OPEN_FUTURE,
            DeleteRecord,
            "An Appointment that is deleted in Outlook will be deleted in CRM only if it is open/scheduled, in the future, and the user is Owner or Organizer",
        ),
        rule(
            (Appointment, DeletedInOutlook),
            &[],
            Unlink,
            "An Appointment that is deleted in Outlook is not deleted in CRM otherwise",
        ),
        rule(
            (Appointment, UntrackedInOutlook),
            OWN_OPEN_FUTURE,
            DeleteRecord,
            "An Appointment that is untracked in Outlook will be deleted in CRM only if it is open/scheduled, in the future, and the user is Owner or Organizer",
        ),
        rule(
            (Appointment, UntrackedInOutlook),
            &[],
            Unlink,
            "An Appointment that is untracked in Outlook is not deleted in CRM otherwise",
        ),
        rule(
            (Task, DeletedInOutlook),
            &[NotCompleted],
            DeleteRecord,
            "A Task that is deleted in Outlook will be deleted in CRM if the Task is not completed",
        ),
        rule(
            (Task, DeletedInOutlook),
            &[],
            Unlink,
            "A completed Task that is deleted in Outlook is not deleted in CRM",
        ),
        rule(
            (Task, UntrackedInOutlook),
            &[],
            Unlink,
            "A Task that is untracked in Outlook stays in CRM (not in the paper)",
        ),
        rule(
            (Email, DeletedInOutlook),
            &[],
            Unlink,
            "An E-mail that is deleted in Outlook will not be deleted in CRM",
        ),
        rule(
            (Email, UntrackedInOutlook),
            &[Asked],
            DeleteRecord,
            "An E-mail that is untracked in Outlook will be deleted in CRM if the user designates",
        ),
        rule(
            (Email, UntrackedInOutlook),
            &[],
            Unlink,
            "An E-mail that is untracked in Outlook is not deleted otherwise",
        ),
        rule(
            (Contact, DeletedInCrm),
            &[NotOwner],
            DeleteItem,
            "A Contact that is deleted in CRM will be deleted in Outlook if the Outlook user is not the CRM Owner; otherwise it is unlinked",
        ),
        rule(
            (Appointment, DeletedInCrm),
            &[StartsInFuture],
            DeleteItem,
            "An Appointment that is deleted in CRM will be deleted in Outlook if the Start Time is in the future",
        ),
        rule(
            (Task, DeletedInCrm),
            &[NotCompleted],
            DeleteItem,
            "A Task that is deleted in CRM will be deleted in Outlook if it has not been completed",
        ),
        // "An E-mail that is deleted in CRM will not be deleted in Outlook": no row, un-linked.
    ]
};

/// What a deletion comes to, and the rule that decided; without a rule the pair is un-linked.
#[must_use]
pub fn deletion(
    kind: ItemKind,
    event: Event,
    facts: &DeletionFacts,
) -> (Outcome, Option<&'static DeletionRule>) {
    let found = DELETION_RULES.iter().find(|rule| {
        rule.kind == kind
            && rule.event == event
            && rule.conditions.iter().all(|condition| condition.holds(facts))
    });
    (found.map_or(Outcome::Unlink, |rule| rule.outcome), found)
}
