//! How a result is told. Renderers are pure: a result in, a text out. Only `progress` and `write`
//! print; only `live` serves.

pub mod adoption;
pub mod baseline;
pub mod baseline_list;
pub mod comment;
pub mod comparison;
pub mod course;
pub mod csv;
pub mod defect;
pub mod document;
pub mod grafana;
pub mod html;
pub mod junit;
pub mod live;
pub mod load;
mod machine;
pub mod markdown;
pub mod model;
pub mod next;
pub mod note;
pub mod number;
pub mod progress;
pub mod prometheus;
pub mod proposal;
pub mod reproduce;
pub mod selftest;
pub mod sentence;
pub mod sign;
pub mod sparkline;
pub mod terminal;
pub mod text;
pub mod trace;
mod window;
pub mod write;

#[cfg(test)]
pub mod tests;
