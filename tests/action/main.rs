//! The action, the workflows, the templates and `loadgate init`: what can be known of them without GitHub. The
//! scripts run for real, against folders in place of a release; what is YAML is read by the linters that test.sh
//! installs.

mod act;
mod cancelled;
mod contract;
mod docs;
mod init;
mod install;
mod lint;
mod release;
mod run;
mod sandbox;
mod yaml;
