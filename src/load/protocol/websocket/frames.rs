//! The frames that come over a WebSocket, told by their headers alone (RFC 6455, 5.2): how long the one under way is and
//! how much of a message has come. The library that carries the messages makes room for a whole frame when it sees its
//! header, and tells nobody; so what it will see is looked at first. What breaks the protocol is its business.

/// The final fragment of a message.
const FIN: u8 = 0x80;
/// Set in the operation codes of control frames.
const CONTROL: u8 = 0x08;
/// Set where a masking key follows the length.
const MASKED: u8 = 0x80;
/// The longest header.
const HEADER: usize = 14;

/// How far the frames of one socket have come.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The first bytes of a header of which more is to come.
    header: [u8; HEADER],
    known: usize,
    /// The frame under way, and how many bytes of its payload are to come.
    frame: Frame,
    left: u64,
    /// Bytes of the fragments of a message of which more is to come.
    fragments: u64,
    /// Bytes of the messages that came since they were last taken.
    messages: u64,
}

/// A frame as its header tells it.
#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    first: u8,
    length: u64,
}

impl Frames {
    /// Reads bytes, at most to the end of a header or of a payload; returns how many.
    pub(super) fn read(&mut self, bytes: &[u8]) -> usize {
        let count = if self.left > 0 {
            let part = self.left.min(bytes.len() as u64);
            self.left -= part;
            part as usize
        } else {
            self.read_header(bytes)
        };
        if self.left == 0 && self.known == 0 {
            self.end();
        }
        count
    }

    fn read_header(&mut self, bytes: &[u8]) -> usize {
        for (index, byte) in bytes.iter().enumerate() {
            self.header[self.known] = *byte;
            self.known += 1;
            if let Some(frame) = parsed(&self.header[..self.known]) {
                (self.known, self.frame, self.left) = (0, frame, frame.length);
                return index + 1;
            }
        }
        bytes.len()
    }

    fn end(&mut self) {
        let Frame { first, length } = std::mem::take(&mut self.frame);
        if first & CONTROL != 0 {
            return;
        }
        self.fragments = self.fragments.saturating_add(length);
        if first & FIN != 0 {
            self.messages = self.messages.saturating_add(std::mem::take(&mut self.fragments));
        }
    }

    /// Bytes of the payload of the frame that has begun.
    pub(super) fn under_way(&self) -> u64 {
        self.frame.length
    }

    /// Bytes of the fragments of the message of which more is to come.
    pub(super) fn fragments(&self) -> u64 {
        self.fragments
    }

    /// Bytes of the messages that are whole, since [`taken`](Self::taken).
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// All messages that are whole were handed over.
    pub(super) fn taken(&mut self) {
        self.messages = 0;
    }
}

/// What a header says, once all of it is there.
fn parsed(header: &[u8]) -> Option<Frame> {
    let &[first, second, ref rest @ ..] = header else { return None };
    let key = if second & MASKED == 0 { 0 } else { 4 };
    let (length, size) = match second & !MASKED {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        short => (u64::from(short), 0),
    };
    (rest.len() == size + key).then_some(Frame { first, length })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame as Sent;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;

    fn read(frames: &mut Frames, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[frames.read(bytes)..];
        }
    }

    fn bytes_of(sent: Sent) -> Vec<u8> {
        let mut bytes = Vec::new();
        sent.format(&mut bytes).unwrap();
        bytes
    }

    fn data(length: usize, code: Data, is_final: bool) -> Vec<u8> {
        bytes_of(Sent::message(vec![b'x'; length], OpCode::Data(code), is_final))
    }

    #[test]
    fn a_frame_is_known_by_its_header_and_a_message_by_its_last_frame() {
        let mut frames = Frames::default();
        let bytes = data(70_000, Data::Binary, false);
        read(&mut frames, &bytes[..9]);
        assert_eq!(frames.under_way(), 0, "a byte of its length is missing");
        read(&mut frames, &bytes[9..10]);
        assert_eq!((frames.under_way(), frames.fragments()), (70_000, 0));
        read(&mut frames, &bytes[10..]);
        assert_eq!((frames.under_way(), frames.fragments(), frames.messages()), (0, 70_000, 0));
        read(&mut frames, &bytes_of(Sent::ping(vec![0; 125])));
        assert_eq!((frames.fragments(), frames.messages()), (70_000, 0), "a ping between two fragments");
        read(&mut frames, &data(0, Data::Continue, true));
        assert_eq!((frames.fragments(), frames.messages()), (0, 70_000));
        frames.taken();
        read(&mut frames, &data(126, Data::Text, true));
        assert_eq!((frames.under_way(), frames.messages()), (0, 126));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            lengths in proptest::collection::vec((0usize..70_000, any::<bool>(), any::<bool>()), 1..8),
            piece in 1usize..5_000,
        ) {
            let mut bytes = Vec::new();
            let mut begun = false;
            let (mut whole, mut open) = (0, 0);
            for (length, is_final, masked) in lengths {
                let code = if begun { Data::Continue } else { Data::Binary };
                let mut sent = Sent::message(vec![b'x'; length], OpCode::Data(code), is_final);
                if masked {
                    sent.header_mut().mask = Some([1, 2, 3, 4]);
                }
                bytes.extend(bytes_of(sent));
                begun = !is_final;
                open += length as u64;
                if is_final {
                    whole += std::mem::take(&mut open);
                }
            }
            let mut frames = Frames::default();
            bytes.chunks(piece).for_each(|part| read(&mut frames, part));
            prop_assert_eq!((frames.messages(), frames.fragments(), frames.under_way()), (whole, open, 0));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&mut Frames::default(), &bytes);
        }
    }
}
