//! `offstage outlook client` and `settings`: what this client is, and Appendix C of the paper.

use crate::error::CliError;
use crate::output::{Output, yes_no};
use clap::{Args, Subcommand, ValueEnum};
use offstage_outlook::Engine;
use offstage_outlook::rules::ClientRole;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What this client is.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Client {
    /// Show it
    Show,
    /// Set it; a user has one primary client, which synchronises by itself
    Set {
        /// What it is
        #[arg(value_enum)]
        role: Role,
        /// Take the place of the primary client
        #[arg(long)]
        take_over: bool,
        /// What people call it; the machine's host name when left out
        #[arg(long)]
        name: Option<String>,
    },
}

/// The roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// The synchronising client
    Primary,
    /// Another machine of the user
    Secondary,
    /// A machine of somebody who works in the mailbox of another
    Delegate,
    /// A machine of a user with a roaming profile
    Roaming,
}

impl From<Role> for ClientRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Primary => Self::Primary,
            Role::Secondary => Self::Secondary,
            Role::Delegate => Self::Delegate,
            Role::Roaming => Self::Roaming,
        }
    }
}

/// What the machine calls itself.
fn host_name() -> String {
    #[cfg(unix)]
    let name = Some(rustix::system::uname().nodename().to_string_lossy().into_owned());
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").ok();
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned())
}

impl Client {
    pub(super) fn run(self, engine: &mut Engine) -> Result<Output, CliError> {
        let known = engine.client()?;
        let client = match self {
            Self::Show => known,
            Self::Set { role, take_over, name } => {
                let before = known.map(|client| client.name);
                let name = name.or(before).unwrap_or_else(host_name);
                Some(engine.register(&name, role.into(), take_over)?)
            }
        };
        let output = Output::new(json!({ "client": client }));
        Ok(match client {
            None => output.text("This directory is no Outlook client yet."),
            Some(client) => output.pairs(vec![
                ("Name", client.name),
                ("Role", client.role),
                ("User", client.user.to_string()),
                ("May synchronise", yes_no(client.may_synchronise)),
            ]),
        })
    }
}

/// The settings of this client.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Settings {
    /// Show them
    Show,
    /// Change some
    Set(Set),
}

/// New values; what is left out stays.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Set {
    /// Contacts come from the CRM
    #[arg(long)]
    contacts: Option<bool>,
    /// Tasks, phone calls, letters and faxes come from the CRM
    #[arg(long)]
    tasks: Option<bool>,
    /// Appointments come from the CRM
    #[arg(long)]
    appointments: Option<bool>,
    /// Update the Company field of contacts from the parent account
    #[arg(long)]
    update_company: Option<bool>,
    /// Minutes between automatic runs of the primary client; 0 for never
    #[arg(long, value_name = "MINUTES")]
    interval: Option<u32>,
    /// The user's time zone, as an IANA name
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Write attendees to stores that mail them
    #[arg(long)]
    send_invitations: Option<bool>,
    /// Items that are looked for after each run
    #[arg(long, value_name = "N")]
    verify_per_run: Option<u32>,
    /// More deletions than this in a run wait for a person
    #[arg(long, value_name = "N")]
    deletions_max: Option<u64>,
    /// More than this part of all tracked pairs waits too, in percent
    #[arg(long, value_name = "PERCENT")]
    deletions_percent_max: Option<u64>,
    /// The percentage counts from so many tracked pairs on
    #[arg(long, value_name = "N")]
    deletions_percent_pairs_min: Option<u64>,
}

impl Settings {
    pub(super) fn run(self, engine: &mut Engine) -> Result<Output, CliError> {
        let mut settings = engine.settings()?;
        if let Self::Set(set) = self {
            let Set { contacts, tasks, appointments, update_company, interval, .. } = set;
            settings.contacts = contacts.unwrap_or(settings.contacts);
            settings.tasks = tasks.unwrap_or(settings.tasks);
            settings.appointments = appointments.unwrap_or(settings.appointments);
            settings.update_company = update_company.unwrap_or(settings.update_company);
            settings.interval_minutes = interval.unwrap_or(settings.interval_minutes);
            settings.time_zone = set.time_zone.unwrap_or(settings.time_zone);
            settings.send_invitations = set.send_invitations.unwrap_or(settings.send_invitations);
            settings.verify_per_run = set.verify_per_run.unwrap_or(settings.verify_per_run);
            let quarantine = &mut settings.quarantine;
            quarantine.deletions_max = set.deletions_max.unwrap_or(quarantine.deletions_max);
            quarantine.percent_max = set.deletions_percent_max.unwrap_or(quarantine.percent_max);
            quarantine.percent_pairs_min =
                set.deletions_percent_pairs_min.unwrap_or(quarantine.percent_pairs_min);
            engine.set_settings(&settings)?;
        }
        let quarantine = settings.quarantine;
        Ok(Output::new(json!(settings)).pairs(vec![
            ("Contacts from the CRM", yes_no(settings.contacts)),
            ("Tasks from the CRM", yes_no(settings.tasks)),
            ("Appointments from the CRM", yes_no(settings.appointments)),
            ("Update the Company field", yes_no(settings.update_company)),
            ("Minutes between runs", settings.interval_minutes.to_string()),
            ("Time zone", settings.time_zone),
            ("Send invitations", yes_no(settings.send_invitations)),
            ("Looked for after a run", settings.verify_per_run.to_string()),
            (
                "Deletions that wait",
                format!(
                    "more than {}, or {} % of {} pairs or more",
                    quarantine.deletions_max, quarantine.percent_max, quarantine.percent_pairs_min
                ),
            ),
        ]))
    }
}
