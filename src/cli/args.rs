//! What can be typed.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{Config, Environment, InvalidConfig, Purpose};
use crate::protocol::ResponseId;

/// A self-hosted server for model responses: the Responses API for its clients, any provider behind it.
#[derive(Debug, Parser)]
#[command(name = "antiphon", version, after_help = SHORT, after_long_help = LONG, max_term_width = 100)]
pub struct Cli {
    /// The configuration file [default: config.toml in this directory, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "ANTIPHON_CONFIG", hide_env_values = true)]
    #[arg(help_heading = EVERYWHERE)]
    pub config: Option<PathBuf>,

    /// The directory of what is a server's own: database, key ring, lock
    #[arg(long, global = true, value_name = "DIR", default_value = "./data", env = "ANTIPHON_DATA")]
    #[arg(hide_env_values = true, help_heading = EVERYWHERE)]
    pub data: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EVERYWHERE: &str = "With every command";

const SHORT: &str = "`antiphon serve` needs nothing else; --help says more.";

const LONG: &str = "\
First steps:
  antiphon serve                        Start it; the first start prints an API key and a line to try
  antiphon keys create --name laptop    Make another key; it works at once
  antiphon check-config                 See whether the configuration makes sense before starting anew

Where things are:
  ./data        Database, key ring and lock, for their owner alone; back up database and key ring (--data)
  config.toml   Options; every one has a default (--config)
  environment   Options again, stronger than the file: ANTIPHON_<SECTION>__<KEY>

All commands but `serve` can be run beside a running server. Results go to standard output, errors and logs to
standard error. Exit codes: 0 done, 1 failed, 2 the command line or the configuration is not valid.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves the API until it is stopped
    ///
    /// Prints its address, and on the very first start an API key, which is not shown again. Logs go to standard
    /// error. SIGTERM or Ctrl-C lets running responses finish for server.drain_timeout; a second one stops at once.
    Serve {
        /// The address and port to listen on [default: server.listen, which is 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR:PORT")]
        listen: Option<std::net::SocketAddr>,
    },
    /// Makes, lists and revokes API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Adds, lists and deletes users
    #[command(subcommand)]
    Users(UsersCommand),
    /// Looks after the key ring
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Says whether the configuration is valid, and if not, everything that is wrong
    ///
    /// Starts nothing and connects to nothing. Each problem is told with its option, its value unless that may be a
    /// secret, what is wrong, and where it was written.
    CheckConfig,
    /// Prints every option with its value and where that comes from; of a secret, only that it is set
    ///
    /// The output has the form of config.toml. Each line ends in a comment: default, the file and the line, or the
    /// environment variable that set it.
    ShowConfig,
    /// Lists the responses that are set aside, and what helps
    ///
    /// Those are responses that lost their server and that no server can end for now. One block each: id, since when,
    /// why, what to do. Nothing of them is lost, and their servers go on trying, at most a minute apart. Needs the
    /// database and no key.
    Doctor {
        /// What to do about them
        #[command(subcommand)]
        command: Option<DoctorCommand>,
    },
    /// Brings the tables of the database up to date
    ///
    /// `serve` does it, too. Apart from it, this is for upgrades of several servers on one database.
    Migrate,
    /// Prints a script that completes commands and options in a shell
    ///
    /// For bash: antiphon completions bash > ~/.local/share/bash-completion/completions/antiphon
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What to do about responses that are set aside.
#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// Has the servers try again at once: one response, or all of them
    ///
    /// Clears the mark. Each server looks for that twice a second.
    Retry {
        /// The response; all without it
        id: Option<ResponseId>,
    },
    /// Ends a response as failed without reading its log
    ///
    /// For one whose log can't be read any more. Its output, as far as the log has it, can be read again only if the
    /// log can; its usage is recorded as its prompt alone. This can't be undone.
    End {
        /// The response
        id: ResponseId,
    },
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Makes a key and prints it; it can't be shown again
    ///
    /// Prints the key alone, so that it can be put into a variable: KEY=$(antiphon keys create --name laptop). Where
    /// there is no database yet it begins one, and says so on standard error.
    Create {
        /// What people call the key
        #[arg(long)]
        name: String,
        /// Whose it is, by name or id
        #[arg(long, default_value = super::command_context::DEFAULT_USER)]
        user: String,
    },
    /// Lists all keys, revoked ones too
    ///
    /// One line each: id, when it was made, its user, its name, and whether it is valid. Secrets are not kept.
    List,
    /// Revokes a key: it is refused from the next request on
    Revoke {
        /// The public part of the key: ak_ and 16 digits
        id: String,
    },
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Adds a user and prints the id
    Create {
        /// The user's name
        name: String,
    },
    /// Lists all users
    ///
    /// One line each: id, when the user was added, the name.
    List,
    /// Deletes a user, with all keys, responses and the data key: nothing of it can be read again
    Delete {
        /// The user's name or id
        user: String,
    },
}

/// What to do with the key ring.
#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Adds a new current key and wraps all data keys with it
    ///
    /// Works while servers run. Back up the key file after it: older keys stay in it. A ring that comes from a variable
    /// or a command is not written: add the new key there first, and this wraps all data keys with what is current.
    Rotate,
}

/// Writes the script that completes commands and options in a shell.
///
/// # Errors
/// If it can't be written.
pub fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "antiphon", &mut script);
    out.write_all(&script)
}

impl Command {
    fn purpose(&self) -> Purpose {
        match self {
            Self::Serve { .. } | Self::CheckConfig => Purpose::Serve,
            Self::Keys(_) | Self::Users(_) | Self::Vault(_) => Purpose::Accounts,
            Self::ShowConfig | Self::Doctor { .. } | Self::Migrate | Self::Completions { .. } => Purpose::Look,
        }
    }

    /// Whether it may begin a database and a key ring where there are none. One that looks for something that is
    /// there already would find nothing in the wrong place, and say so as if it were the right one.
    pub(super) fn may_begin(&self) -> bool {
        match self {
            Self::Serve { .. }
            | Self::Migrate
            | Self::Keys(KeysCommand::Create { .. })
            | Self::Users(UsersCommand::Create { .. }) => true,
            Self::Keys(KeysCommand::List | KeysCommand::Revoke { .. })
            | Self::Users(UsersCommand::List | UsersCommand::Delete { .. })
            | Self::Vault(VaultCommand::Rotate)
            | Self::Doctor { .. }
            | Self::CheckConfig
            | Self::ShowConfig
            | Self::Completions { .. } => false,
        }
    }
}

impl Cli {
    /// Loads the configuration that the arguments ask for.
    ///
    /// # Errors
    /// [`InvalidConfig`], also if a file that was named is not there.
    pub fn load_config(&self, environment: &Environment) -> Result<Config, InvalidConfig> {
        let usual = Path::new("config.toml");
        // A link that leads nowhere was meant to be read, too.
        let is_there = usual.symlink_metadata().is_ok();
        let file = self.config.as_deref().or_else(|| is_there.then_some(usual));
        Config::load_for(self.command.purpose(), file, environment)
    }
}
