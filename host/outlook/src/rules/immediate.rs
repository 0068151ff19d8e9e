//! Immediate synchronisation: Appendix B of the paper, which its sections spell out.
//!
//! Where a section contradicts the appendix ("immediately after user saves" for tracking in the
//! inspector), the appendix stands. The paper has no row for un-tracking in the explorer; it is read
//! like setting what the item is about.

use crate::item::ItemKind;

/// What the user does, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// "Track in Inspector"
    TrackInInspector,
    /// "Update in Inspector"
    UpdateInInspector,
    /// "Un-track in Inspector"
    UntrackInInspector,
    /// "Delete in Inspector"
    DeleteInInspector,
    /// "Track in Explorer"
    TrackInExplorer,
    /// Un-tracking in the explorer; not in the paper.
    UntrackInExplorer,
    /// "Set Regarding in Explorer"
    SetRegardingInExplorer,
    /// "Delete in Explorer"
    DeleteInExplorer,
}

/// The columns of the appendix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemClass {
    /// Received or sent e-mail.
    ReceivedOrSent,
    /// An e-mail that was not sent yet.
    Draft,
    /// A contact, task or appointment.
    NonEmail,
}

impl ItemClass {
    /// The class of an item; an e-mail is a draft until it has the time at which it was sent.
    #[must_use]
    pub fn of(kind: ItemKind, draft: bool) -> Self {
        match (kind, draft) {
            (ItemKind::Email, true) => Self::Draft,
            (ItemKind::Email, false) => Self::ReceivedOrSent,
            _ => Self::NonEmail,
        }
    }
}

/// What a client is to its user's mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientRole {
    /// The synchronising client; one per user.
    #[default]
    Primary,
    /// Another machine of the user.
    Secondary,
    /// A machine of somebody who works in the mailbox of another.
    Delegate,
    /// A machine of a user with a roaming profile: all of them act as if they were primary.
    Roaming,
}

impl ClientRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Primary, Self::Secondary, Self::Delegate, Self::Roaming];

    /// Whether the client synchronises contacts, tasks and appointments.
    #[must_use]
    pub fn acts_as_primary(self) -> bool {
        matches!(self, Self::Primary | Self::Roaming)
    }

    /// The word for commands and the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Delegate => "delegate",
            Self::Roaming => "roaming",
        }
    }

    /// The role with this [`ClientRole::name`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// When an action is synchronised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// "Yes"
    Now,
    /// "Yes*": on item send.
    OnSend,
    /// "Yes**": on item close.
    OnClose,
    /// "No": with the next scheduled or manual synchronisation.
    Next,
    /// "N/A"
    NotApplicable,
}

/// One row of the appendix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImmediateRule {
    /// What the user does.
    pub action: Action,
    /// Received or sent e-mail: primary, secondary.
    pub received_or_sent: [Cell; 2],
    /// Draft e-mail: primary and secondary.
    pub draft: Cell,
    /// Non-e-mail: primary, secondary or delegate.
    pub non_email: [Cell; 2],
}

const fn row(
    action: Action,
    received_or_sent: [Cell; 2],
    draft: Cell,
    non_email: [Cell; 2],
) -> ImmediateRule {
    ImmediateRule { action, received_or_sent, draft, non_email }
}

/// Appendix B: Summary of Immediate Synchronization Rules.
pub const IMMEDIATE_RULES: [ImmediateRule; 8] = {
    use Cell::{Next, NotApplicable, Now, OnClose, OnSend};
    [
        row(Action::TrackInInspector, [Now, Now], OnSend, [OnClose, Next]),
        row(Action::UpdateInInspector, [Now, Now], OnSend, [OnClose, Next]),
        row(Action::UntrackInInspector, [Now, Now], NotApplicable, [OnClose, Next]),
        row(Action::DeleteInInspector, [Next, Next], NotApplicable, [Next, Next]),
        row(Action::TrackInExplorer, [Now, Now], NotApplicable, [Now, Next]),
        row(Action::UntrackInExplorer, [Now, Now], NotApplicable, [Now, Next]),
        row(Action::SetRegardingInExplorer, [Now, Now], NotApplicable, [Now, Next]),
        row(Action::DeleteInExplorer, [Next, Next], NotApplicable, [Next, Next]),
    ]
};

/// When an action is synchronised.
#[must_use]
pub fn immediate(action: Action, class: ItemClass, role: ClientRole) -> Cell {
    let rule = IMMEDIATE_RULES.iter().find(|rule| rule.action == action);
    let rule = rule.expect("BUG: every action has a row");
    let column = usize::from(!role.acts_as_primary());
    match class {
        ItemClass::ReceivedOrSent => rule.received_or_sent[column],
        ItemClass::Draft => rule.draft,
        ItemClass::NonEmail => rule.non_email[column],
    }
}
