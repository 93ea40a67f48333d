//! What the documentation shows is what the tests run.

mod first_steps;
mod line;
mod markdown;
mod peers;
mod programs;
mod providers;
mod way_back;
