//! The migrations of Antiphon.
