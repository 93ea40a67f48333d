//! Why a response that lost its owner is set aside.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $advice:literal;)*) => {
        /// Why a response can be neither settled nor resumed for now.
        ///
        /// Nothing is written into the log of such a response: whoever can read it ends it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum SetAsideReason {
            $($(#[$doc])* $name,)*
        }

        impl SetAsideReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The reason's name in the database, in logs and on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What people who run the server can do about it.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }

            /// The reason of that name. A name that is not known was given by a newer version of this program.
            #[must_use]
            pub fn named(name: &str) -> Self {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == name).unwrap_or(Self::NewerVersion)
            }
        }
    };
}

reasons! {
    /// Its log is written by a newer version of this program.
    NewerVersion = "newer_version", "start a server of the newer version, or finish the upgrade";
    /// The key ring lacks the key of its user, or can't be read.
    KeyMissing = "key_missing", "bring the key ring of the other servers here; see that its source can be read";
    /// Its log was changed, is cut, or is no log.
    LogUnreadable = "log_unreadable", "is it the right key ring? else restore the database, or end it without its log";
    /// The database can't read what it holds of it.
    RowUnreadable = "row_unreadable", "look at the database's own log; restore it";
    /// The database refuses its ending.
    EndingRefused = "ending_refused", "look at the database's own log for what it refuses";
    /// Its ending can't be encrypted.
    EndingUnsealed = "ending_unsealed", "does the machine give random bytes? restart the server";
}
