//! What a configuration is loaded for.

/// What a configuration is loaded for. Each purpose needs more secrets than the one before it; a command fails only for
/// what is wrong with those that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To look at the options or to bring tables up to date: no secret but the database's.
    Look,
    /// To work on users and keys: the key ring, too.
    Accounts,
    /// To serve, or to say whether that could be done: the keys of all providers, too.
    Serve,
}
