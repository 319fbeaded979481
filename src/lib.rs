//! Trục: an interoperability message gateway. `docs/ARCHITECTURE.md` is the map.

pub mod domain;
pub mod edxml;
