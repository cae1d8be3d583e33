//! Forms of several parts (RFC 7578), flattened to fixed stretches and what is rendered between them.

use bytes::Bytes;

use crate::config::node::Node;
use crate::plan::step::{Body, Piece, quoted};
use crate::template::Template;

use super::compilation::{Compilation, Place};
use super::digest::sha256;

/// What a file is, where nothing is said.
const BYTES: &str = "application/octet-stream";

/// The pieces of a body, the last one still growing.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    text: Vec<u8>,
}

impl<'a> Compilation<'a> {
    /// The body of a `multipart` and its content type.
    pub fn multipart(&mut self, fields: &'a Node, place: Place<'a>) -> (Body, String) {
        let parts: Vec<(&str, &'a Node)> = fields
            .entries()
            .iter()
            .flat_map(|(key, value)| {
                let items =
                    if value.items().is_empty() { std::slice::from_ref(value) } else { value.items() };
                items.iter().map(|item| (key.name.as_str(), item))
            })
            .collect();
        let contents: Vec<Option<Bytes>> =
            parts.iter().map(|(_, part)| part.get("file").and_then(|file| self.file(file))).collect();
        let boundary = boundary(&parts, &contents);
        let mut pieces = Pieces::default();
        for ((name, part), content) in parts.into_iter().zip(contents) {
            pieces
                .text(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(name)));
            self.part(part, content, (&mut pieces, place));
            pieces.text("\r\n");
        }
        pieces.text(&format!("--{boundary}--\r\n"));
        (Body::Multipart(pieces.end()), format!("multipart/form-data; boundary={boundary}"))
    }

    fn part(&mut self, part: &'a Node, file: Option<Bytes>, (pieces, place): (&mut Pieces, Place<'a>)) {
        let default =
            part.get("file").and_then(Node::scalar).map(|path| path.rsplit('/').next().unwrap_or(path));
        let named = part.get("filename").and_then(|name| self.template(name, place.sight()));
        if let Some(name) = named.or_else(|| Template::compile(&default?.replace("{{", "")).ok()) {
            pieces.text("; filename=\"");
            pieces.rendered(name, Piece::Name);
            pieces.text("\"");
        }
        let said = part.get("content_type").and_then(Node::scalar);
        if let Some(content_type) = said.or(file.is_some().then_some(BYTES)) {
            pieces.text(&format!("\r\nContent-Type: {}", content_type.replace(['\r', '\n'], " ")));
        }
        pieces.text("\r\n\r\n");
        let text = part.get("text").unwrap_or(part);
        if let Some(bytes) = file {
            pieces.bytes(bytes);
        } else if let Some(text) = self.template(text, place.sight()) {
            pieces.rendered(text, Piece::Rendered);
        }
    }
}

impl Pieces {
    fn text(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn rendered(&mut self, template: Template, piece: impl Fn(Template) -> Piece) {
        self.bytes(Bytes::new());
        self.done.push(piece(template));
    }

    /// Bytes that are shared, never copied.
    fn bytes(&mut self, bytes: Bytes) {
        let before = std::mem::take(&mut self.text);
        let fixed = [Bytes::from(before), bytes].into_iter().filter(|bytes| !bytes.is_empty());
        self.done.extend(fixed.map(Piece::Fixed));
    }

    fn end(mut self) -> Vec<Piece> {
        self.bytes(Bytes::new());
        self.done
    }
}

/// A boundary that no file of the form can hold but by design, the same in every run.
fn boundary(parts: &[(&str, &Node)], contents: &[Option<Bytes>]) -> String {
    let names = parts.iter().map(|(name, part)| format!("{name}={:?};", part.scalar()));
    let mut all = names.collect::<String>().into_bytes();
    contents.iter().flatten().for_each(|content| all.extend_from_slice(content));
    format!("loadgate-{}", &sha256(&all)[..32])
}
