//! The machine that the load is made on, while the load lasts: how fast it computes, and who else uses it.
//!
//! Two things are measured. A *reference computation* of fixed size, timed every 50 ms, says how fast the
//! processor is (its CPU time) and how long a thread that wants to run has to wait (its wall time). The
//! *kernel's counters* say where the CPU went: all of it less what loadgate and the service used is what
//! other processes used. That difference is only worth something where it is known which processes are the
//! service: a service that counted as a neighbour would excuse its own regression. So `Service` names them,
//! or says why they cannot be named; then nothing is claimed about others.
//!
//! Nothing is judged here. Elsewhere than on Linux only the reference computation is known.

mod back_end;
mod family;
mod group;
mod kernel_threads;
pub mod listener;
mod memory;
mod monitor;
mod reading;
mod reference;
mod search;
mod service;
mod text;
pub mod tree;
mod unix_peer;

pub use memory::memory;
pub use monitor::{Monitor, all_cpus};
pub use reading::{Kernel, Limited, Reading, Timed};
pub use service::{Location, Service, Unknown, is_forwarder, starter_below};
pub use text::Ticks;
