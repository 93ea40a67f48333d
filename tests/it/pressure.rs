//! A server under pressure, and what it is afterwards.

mod leaks;
