//! What the documentation shows is what the tests run.

mod markdown;
mod peers;
mod providers;
