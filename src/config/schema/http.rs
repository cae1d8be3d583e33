//! How connections are made and HTTP is spoken on them.

use super::{Kind, Shape, key};

/// How HTTP is spoken.
pub(super) static HTTP: Shape = Shape {
    name: "http",
    doc: "How HTTP is spoken.",
    keys: &[&[
        key(
            "version",
            Kind::OneOf(&["auto", "1.1", "2"]),
            "`auto` (default): what the server chooses over TLS, 1.1 without. `2` without TLS is prior knowledge.",
        ),
        key(
            "keep_alive",
            Kind::Bool,
            "Whether a user keeps its connections between requests (default true).",
        ),
        key(
            "redirects",
            REDIRECTS,
            "How many redirects are followed, one after the other (default 10; 0: none), and which origins get all.",
        ),
        key(
            "proxy",
            Kind::Text,
            "The HTTP proxy, `http://HOST:PORT`, or `none` (default: that of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`).",
        ),
        key("cookies", Kind::Bool, "Whether every user keeps its cookies (default true)."),
        key(
            "accept_encoding",
            Kind::Either(&[ENCODING, Kind::List(&ENCODING)]),
            "The compressions asked for; nothing is asked for unless this is said.",
        ),
    ]],
    rules: &[],
};

/// How many redirects are followed.
pub(super) const REDIRECTS: Kind = Kind::Either(&[MOST_REDIRECTS, Kind::Object(&OF_REDIRECTS)]);

const MOST_REDIRECTS: Kind = Kind::Integer { min: 0, max: 50 };

static OF_REDIRECTS: Shape = Shape {
    name: "redirects",
    doc: "How redirects are followed.",
    keys: &[&[
        key("most", MOST_REDIRECTS, "How many are followed, one after the other (default 10; 0: none)."),
        key(
            "to",
            Kind::List(&Kind::Text),
            "Origins, such as `https://cdn.example.com`, that get the body and the secret headers of a request as well.",
        ),
    ]],
    rules: &[],
};

const ENCODING: Kind = Kind::OneOf(&["gzip", "deflate", "identity"]);

/// TLS.
pub(super) static TLS: Shape = Shape {
    name: "tls",
    doc: "Whose certificates are believed, and which one is shown.",
    keys: &[&[
        key("ca", Kind::Text, "A PEM file with certificates that are believed beside those of the machine."),
        key("certificate", Kind::Text, "A PEM file with the client's certificate and its chain."),
        key("key", Kind::Text, "A PEM file with the private key of that certificate."),
        key("insecure", Kind::Bool, "Believe any certificate."),
    ]],
    rules: &[],
};
