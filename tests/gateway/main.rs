//! The gateway seen from outside: the real binary, real TLS, a real ledger on disk.

mod exchange;
mod support;
