//! A server under pressure, and what it is afterwards.

mod bodies;
mod floods;
mod peak;
