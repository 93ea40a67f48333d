//! What must not be seen, found in the places where somebody would look.

mod canaries;
mod keys;
mod settings;
mod vault;
