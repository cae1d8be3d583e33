//! How a result is told. Renderers are pure: a result in, a text out.
