//! The tables of Antiphon.
