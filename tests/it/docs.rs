//! What the documentation shows is what the tests run.

mod line;
mod markdown;
mod peers;
mod programs;
mod providers;
