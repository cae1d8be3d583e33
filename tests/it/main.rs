//! Tests through the real binary, real processes and real sockets, all on this machine.

mod fault_server;
mod harness;
mod shutdown;
mod target;
