//! Builds the tree from the events of the parser: anchors, merge keys, duplicates and limits.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow::{self, Break, Continue};

use granit_parser::{ScalarStyle, Span as Place, StructureStyle};

use super::{MAX_DEPTH, MAX_NODES, scalar, trap};
use crate::config::node::{Key, Node, Span, Value};
use crate::config::problem::{Problem, suggestion};

/// The tree so far: the open lists and mappings, the anchors seen, the problems found.
pub(super) struct Tree<'a> {
    source: u32,
    text: &'a str,
    open: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    last_end: u32,
    anchors: HashMap<usize, Anchored>,
    anchor_names: Vec<String>,
    problems: Vec<Problem>,
    told: HashSet<Problem>,
}

/// A list or mapping that is not closed yet.
struct Frame {
    start: u32,
    style: StructureStyle,
    anchor: usize,
    nodes_before: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Entries),
}

#[derive(Default)]
struct Entries {
    list: Vec<(Key, Node)>,
    places: HashMap<String, Span>,
    merged: Vec<Node>,
    pending: Pending,
    is_template: bool,
}

/// What the next node of a mapping is.
#[derive(Default)]
enum Pending {
    #[default]
    Key,
    Value(Key),
    Merge,
    /// The value of a key that was refused.
    Nothing,
}

struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

impl<'a> Tree<'a> {
    pub(super) fn new(source: u32, text: &'a str) -> Self {
        Self {
            source,
            text,
            open: Vec::new(),
            root: None,
            documents: 0,
            nodes: 0,
            last_end: 0,
            anchors: HashMap::new(),
            anchor_names: Vec::new(),
            problems: Vec::new(),
            told: HashSet::new(),
        }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        if self.told.insert(problem.clone()) {
            self.problems.push(problem);
        }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    pub(super) fn finish(self) -> (Option<Node>, Vec<Problem>) {
        (self.root, self.problems)
    }

    pub(super) fn open_document(&mut self, place: Place) -> ControlFlow<()> {
        self.documents += 1;
        if self.documents == 1 {
            return Continue(());
        }
        let problem = Problem::at(self.span(place), "a second document starts here")
            .hint("keep one document per file: remove the `---`");
        self.problem(problem);
        Break(())
    }

    pub(super) fn refuse_tag(&mut self, place: Place) {
        let place = place.tag_span().unwrap_or(place);
        let tag = place.slice(self.text).unwrap_or("!").to_owned();
        let problem = Problem::at(self.span(place), format!("the tag `{tag}` is not supported"))
            .hint("remove it; quote a value to make it text");
        self.problem(problem);
    }

    pub(super) fn name_anchor(&mut self, name: &str) {
        self.anchor_names.push(name.to_owned());
    }

    pub(super) fn scalar(
        &mut self,
        text: &str,
        (style, anchor): (ScalarStyle, usize),
        place: Place,
    ) -> ControlFlow<()> {
        let value = match (style, self.plain_is_missing(place)) {
            (ScalarStyle::Plain, true) => Value::Null,
            (ScalarStyle::Plain, false) => scalar::plain(text),
            _ => Value::Text(text.to_owned()),
        };
        let node = Node { span: self.span(place), value };
        self.last_end = self.last_end.max(node.span.end);
        self.count(1, 0, node.span)?;
        self.remember(anchor, &node, (1, 0));
        if matches!(style, ScalarStyle::Plain) && self.at_key() && node.scalar() == Some("<<") {
            self.expect(Pending::Merge);
            return Continue(());
        }
        self.add(node)
    }

    pub(super) fn open_list(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        place: Place,
    ) -> ControlFlow<()> {
        self.push(Content::List(Vec::new()), style, (anchor, place))
    }

    pub(super) fn open_map(&mut self, style: StructureStyle, anchor: usize, place: Place) -> ControlFlow<()> {
        self.push(Content::Map(Entries::default()), style, (anchor, place))
    }

    pub(super) fn close(&mut self, place: Place) -> ControlFlow<()> {
        let Some(frame) = self.open.pop() else { return Continue(()) };
        if frame.style == StructureStyle::Flow {
            self.last_end = self.span(place).end;
        }
        let span = Span { source: self.source, start: frame.start, end: self.last_end.max(frame.start) };
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            // Told already; as text it makes no second problem.
            Content::Map(entries) if entries.is_template => Value::Text(String::new()),
            Content::Map(entries) => Value::Map(self.merge(entries)),
        };
        let node = Node { span, value };
        if let Some(parent) = self.open.last_mut() {
            parent.height = parent.height.max(frame.height + 1);
        }
        self.remember(frame.anchor, &node, (self.nodes - frame.nodes_before, frame.height + 1));
        self.add(node)
    }

    /// Puts the anchor's content here; its places stay those of the anchor.
    pub(super) fn alias(&mut self, anchor: usize, place: Place) -> ControlFlow<()> {
        let span = self.span(place);
        self.last_end = self.last_end.max(span.end);
        let Some(anchored) = self.anchors.get(&anchor) else {
            self.problem(Problem::at(span, "an alias inside of what it stands for"));
            return self.add(Node { span, value: Value::Null });
        };
        let (nodes, height) = (anchored.nodes, anchored.height);
        self.count(nodes, height, span)?;
        if let Some(parent) = self.open.last_mut() {
            parent.height = parent.height.max(height);
        }
        match self.anchors.get(&anchor).map(|anchored| anchored.node.clone()) {
            Some(node) => self.add(node),
            None => Continue(()),
        }
    }

    pub(super) fn unknown_alias(&mut self, name: &str, place: Place) -> ControlFlow<()> {
        let span = self.span(place);
        self.last_end = self.last_end.max(span.end);
        let problem = Problem::at(span, format!("no anchor `&{name}` before this"))
            .hint(suggestion(name, self.anchor_names.iter().map(String::as_str)));
        self.problem(problem);
        self.add(Node { span, value: Value::Null })
    }

    fn push(
        &mut self,
        content: Content,
        style: StructureStyle,
        (anchor, place): (usize, Place),
    ) -> ControlFlow<()> {
        let span = self.span(place);
        let nodes_before = self.nodes;
        self.count(1, 1, span)?;
        self.open.push(Frame { start: span.start, style, anchor, nodes_before, height: 0, content });
        Continue(())
    }

    /// Holds the limits: `nodes` more values, `height` levels below the open ones.
    fn count(&mut self, nodes: usize, height: usize, span: Span) -> ControlFlow<()> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            // What is wrong with thousands of values is not what is to be mended first.
            self.problems.clear();
            let message = format!("more than {MAX_NODES} values, aliases expanded");
            self.problem(Problem::at(span, message).hint("use fewer aliases, or move data to a file"));
            return Break(());
        }
        if self.open.len() + height > MAX_DEPTH {
            self.problem(Problem::at(span, format!("nested deeper than {MAX_DEPTH} levels")));
            return Break(());
        }
        Continue(())
    }

    fn remember(&mut self, anchor: usize, node: &Node, (nodes, height): (usize, usize)) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, height });
        }
    }

    /// An empty plain scalar is reported as `~` with nothing in the text.
    fn plain_is_missing(&self, place: Place) -> bool {
        place.slice(self.text).is_none_or(str::is_empty)
    }

    fn at_key(&self) -> bool {
        matches!(
            self.open.last().map(|frame| &frame.content),
            Some(Content::Map(Entries { pending: Pending::Key, .. }))
        )
    }

    fn expect(&mut self, pending: Pending) {
        if let Some(Frame { content: Content::Map(entries), .. }) = self.open.last_mut() {
            entries.pending = pending;
        }
    }

    fn add(&mut self, node: Node) -> ControlFlow<()> {
        if self.at_key() {
            let next = self.key(&node);
            self.expect(next);
            return Continue(());
        }
        match self.open.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(entries)) => match std::mem::take(&mut entries.pending) {
                Pending::Value(key) => entries.list.push((key, node)),
                Pending::Merge => entries.merged.push(node),
                Pending::Key | Pending::Nothing => {}
            },
        }
        Continue(())
    }

    /// Notes that the innermost mapping is a template without quotes.
    fn mark_template(&mut self) {
        if let Some(Frame { content: Content::Map(entries), .. }) = self.open.last_mut() {
            entries.is_template = true;
        }
    }

    /// Takes a node as a key, or says why it cannot be one.
    fn key(&mut self, node: &Node) -> Pending {
        let problem = match (&node.value, node.scalar()) {
            (Value::Map(_) | Value::List(_), _) => match trap::unquoted(self.text, node.span) {
                Some(problem) => {
                    self.mark_template();
                    problem
                }
                None => Problem::at(node.span, "a list or mapping cannot be a key")
                    .hint("quote it to make it text"),
            },
            (_, None) => Problem::at(node.span, "a key is missing").hint("write `key: value`"),
            (_, Some(name)) => match self.duplicate(name, node.span) {
                None => {
                    return Pending::Value(Key {
                        span: node.span,
                        name: name.to_owned(),
                        is_override: false,
                    });
                }
                Some(problem) => problem,
            },
        };
        self.problem(problem);
        Pending::Nothing
    }

    /// Notes a key of the innermost mapping; the problem if it was there before.
    fn duplicate(&mut self, name: &str, span: Span) -> Option<Problem> {
        let Some(Frame { content: Content::Map(entries), .. }) = self.open.last_mut() else { return None };
        let Some(first) = entries.places.get(name) else {
            entries.places.insert(name.to_owned(), span);
            return None;
        };
        let line = self.text.get(..first.start as usize)?.matches('\n').count() + 1;
        let message = format!("duplicate key `{name}`, first on line {line}");
        Some(Problem::at(span, message).hint("keep one of them"))
    }

    /// The entries with those of `<<` behind them; explicit keys win, then earlier merges.
    fn merge(&mut self, mut entries: Entries) -> Vec<(Key, Node)> {
        let (explicit, mut replaced) = (entries.list.len(), HashSet::new());
        for merged in std::mem::take(&mut entries.merged) {
            let sources = if let Value::List(items) = merged.value { items } else { vec![merged] };
            for source in sources {
                let Value::Map(more) = source.value else {
                    let message = format!("`<<` merges mappings, not {}", source.describe());
                    let hint = "write `<<: *anchor` with the anchor of a mapping";
                    self.problem(Problem::at(source.span, message).hint(hint));
                    continue;
                };
                for (key, node) in more {
                    if entries.places.contains_key(&key.name) {
                        replaced.insert(key.name);
                    } else {
                        entries.places.insert(key.name.clone(), key.span);
                        entries.list.push((key, node));
                    }
                }
            }
        }
        for (key, _) in entries.list.iter_mut().take(explicit) {
            key.is_override |= replaced.contains(&key.name);
        }
        entries.list
    }

    fn span(&self, place: Place) -> Span {
        trap::span(self.source, self.text, place.byte_range().unwrap_or_default())
    }
}
