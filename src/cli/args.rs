//! What can be typed.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::config::{Config, Environment, InvalidConfig};

/// A self-hosted server for model responses.
#[derive(Debug, Parser)]
#[command(name = "antiphon", version)]
pub struct Cli {
    /// The configuration file [default: config.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The directory of the database, the key file and the lock
    #[arg(long, global = true, value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves the API until it is stopped
    Serve {
        /// The address and port to listen on [default: 127.0.0.1:8080, or the configuration's]
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
    CheckConfig,
    /// Brings the tables of the database up to date
    Migrate,
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Makes a key and prints it; it can't be shown again
    Create {
        /// What people call the key
        #[arg(long)]
        name: String,
        /// Whose it is, by name or id
        #[arg(long, default_value = super::site::DEFAULT_USER)]
        user: String,
    },
    /// Lists all keys, revoked ones too
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
    Rotate,
}

impl Cli {
    /// Loads the configuration that the arguments ask for.
    ///
    /// # Errors
    /// [`InvalidConfig`], also if a file that was named is not there.
    pub fn load_config(&self, environment: &Environment) -> Result<Config, InvalidConfig> {
        let usual = Path::new("config.toml");
        let file = self.config.as_deref().or_else(|| usual.exists().then_some(usual));
        Config::load(file, environment)
    }
}
