//! Tests through the real binary, real processes and real sockets, all on this machine.

mod autobahn;
mod bad_input;
mod baseline;
mod external;
mod fault_server;
mod faults;
mod faults_http1;
mod faults_http2;
mod faults_websocket;
mod gate;
mod github;
mod harness;
mod httpbin;
mod live;
mod load_model;
mod main_job;
mod nginx;
mod objectives;
mod prometheus;
mod reports;
mod session;
mod shutdown;
mod stateful;
mod suffering;
mod target;
mod websockets;
