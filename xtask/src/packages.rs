//! What tests need of the system: installed where that is possible, with a plain word where it is not.
//!
//! Only root can install, and only where apt-get is. It never starts a server, and never upgrades
//! what is there.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// Something that comes with the system's packages.
struct Program {
    /// A command that succeeds when it is there.
    check: &'static [&'static str],
    /// Debian's packages.
    packages: &'static [&'static str],
    /// Who needs it.
    why: &'static str,
    /// Whether not every system has it: the test says that it is skipped.
    may_be_missing: bool,
}

const PYTHON: Program = Program {
    check: &["python3", "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"],
    packages: &["python3", "python3-venv"],
    why: "the plug-ins in Python and the servers that tests talk to need Python 3.10 with venv",
    may_be_missing: false,
};
/// Programs that are wanted on Linux alone.
const OF_LINUX: [Program; 4] = [
    Program {
        check: &["gdb", "--version"],
        packages: &["gdb"],
        why: "the tests of debugging attach gdb",
        may_be_missing: false,
    },
    Program {
        check: &["lldb-22", "--version"],
        packages: &["lldb-22"],
        why: "a test of debugging attaches lldb 22",
        may_be_missing: true,
    },
    Program {
        check: &["dovecot", "--version"],
        packages: &["dovecot-imapd"],
        why: "the tests of the IMAP store start Dovecot",
        may_be_missing: false,
    },
    Program {
        check: &["openssl", "version"],
        packages: &["openssl"],
        why: "the tests of the IMAP store make a certificate",
        may_be_missing: false,
    },
];

/// Installs what is missing; quiet when all is there.
pub(crate) fn ensure_all() -> Result<()> {
    PYTHON.ensure()?;
    if cfg!(target_os = "linux") {
        for program in OF_LINUX {
            program.ensure()?;
        }
    }
    Ok(())
}

impl Program {
    fn ensure(&self) -> Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let packages = self.packages.join(" ");
        println!("installing {packages}");
        let install = ["install", "-q", "-y", "--no-install-recommends"];
        for arguments in [vec!["update", "-q"], [&install[..], self.packages].concat()] {
            let mut command = Command::new("apt-get");
            command.args(arguments).stdin(Stdio::null());
            // RUNLEVEL: a server that comes with a package is not started.
            command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
            // A failure shows below: what counts is that the program is there.
            drop(command.status());
        }
        if self.is_there() {
            return Ok(());
        }
        if self.may_be_missing {
            println!("{}, and that is not there: it will be skipped", self.why);
            return Ok(());
        }
        bail!(
            "{}, and that is not there\n\
             hint: install it with the system's packages (Debian: `apt-get install {packages}`) \
             and try again",
            self.why
        )
    }

    /// Whether the check succeeds, also where servers are, which is not in everybody's path.
    fn is_there(&self) -> bool {
        let Some((program, arguments)) = self.check.split_first() else { return false };
        [(*program).to_owned(), format!("/usr/sbin/{program}")].iter().any(|program| {
            Command::new(program).args(arguments).output().is_ok_and(|o| o.status.success())
        })
    }
}
