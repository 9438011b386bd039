//! The nouns of the house: ids, peers, dialects, phases, ends, names.
//!
//! The lowest floor. It knows std and Unicode and nothing else: no channel, no
//! clock, no socket, no file. Every other room speaks in these words, and the
//! words an operator reads (`complete (length)`, `sending`) are written here
//! once, for table, event line and JSON alike.

mod mark;
mod name;

use std::fmt;
use std::net::SocketAddr;

pub use self::mark::{Pin, Rights, Root};
pub use self::name::{DisplayName, Entry, RemotePath};

/// One accepted or dialled connection; counts from 1 in the order of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// One transfer of one file over one connection; counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XferId(pub u64);

/// One item of the client's queue; counts from 1 and outlives its transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub SocketAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A protocol spoken over TCP. `net::wire` holds one file for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `FileRequest`/`FileResponse`, magic 0x497E: one request a connection.
    Classic,
    /// ferrydeck's own protocol on the same magic.
    Deck,
    /// The same inside TLS 1.3, between two that know each other.
    DeckTls,
    /// Commands behind a 64-byte length: get, put, change, help, as often as one likes.
    Session,
    /// `name:GET` and `name:PUT`: one request a connection, the close is the end.
    Colon,
    /// A name and a size, then bytes until the close: put only.
    Drop,
}

impl Dialect {
    /// Every dialect there is, in the order of the command line's help.
    pub const ALL: [Self; 6] = [
        Self::Classic,
        Self::Deck,
        Self::DeckTls,
        Self::Session,
        Self::Colon,
        Self::Drop,
    ];

    /// The word used on the command line, in URLs, in the table and in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Deck => "deck",
            Self::DeckTls => "deck+tls",
            Self::Session => "session",
            Self::Colon => "colon",
            Self::Drop => "drop",
        }
    }

    /// Whether it is ferrydeck's own protocol, in the open or inside TLS.
    pub const fn is_deck(self) -> bool {
        matches!(self, Self::Deck | Self::DeckTls)
    }

    /// The port a URL without one means.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Classic | Self::Deck | Self::DeckTls => 18_814,
            Self::Session => 5050,
            Self::Colon => 50_001,
            Self::Drop => 5010,
        }
    }

    /// Whether a client can ask such a server what it holds.
    pub const fn lists(self) -> bool {
        match self {
            Self::Classic | Self::Session | Self::Colon | Self::Drop => false,
            Self::Deck | Self::DeckTls => true,
        }
    }

    /// Whether the whole request must arrive within `--request-timeout`, however it is cut.
    pub const fn times_request(self) -> bool {
        match self {
            Self::Classic => true,
            Self::Deck | Self::DeckTls | Self::Session | Self::Colon | Self::Drop => false,
        }
    }

    /// Whether a person types on the other side: silence is no fault there.
    pub const fn waits_for_a_person(self) -> bool {
        matches!(self, Self::Session)
    }

    /// Whether a cut download can go on from where it stopped.
    pub const fn resumes(self) -> bool {
        match self {
            Self::Classic | Self::Session | Self::Colon | Self::Drop => false,
            Self::Deck | Self::DeckTls => true,
        }
    }

    /// Whether a client can fetch a file.
    pub const fn gets(self) -> bool {
        match self {
            Self::Classic | Self::Deck | Self::DeckTls | Self::Session | Self::Colon => true,
            Self::Drop => false,
        }
    }

    /// Whether a client can store a file.
    pub const fn puts(self) -> bool {
        match self {
            Self::Classic => false,
            Self::Deck | Self::DeckTls | Self::Session | Self::Colon | Self::Drop => true,
        }
    }

    /// Whether a client can give a file another name.
    pub const fn renames(self) -> bool {
        match self {
            Self::Classic | Self::Colon | Self::Drop => false,
            Self::Deck | Self::DeckTls | Self::Session => true,
        }
    }
}

/// What a listener takes: a guess from the first bytes, or one dialect alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speak {
    /// Told apart by the opening bytes.
    Auto,
    /// Nothing is guessed; the dialect's own clock runs from accept.
    Only(Dialect),
}

impl Speak {
    /// The word used on the command line, on the screen and in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Only(dialect) => dialect.label(),
        }
    }

    /// The listener's dialect by its word; `None` if there is none of that name.
    pub fn parse(word: &str) -> Option<Self> {
        if word == Self::Auto.label() {
            return Some(Self::Auto);
        }
        Dialect::ALL
            .into_iter()
            .find(|dialect| dialect.label() == word)
            .map(Self::Only)
    }
}

/// Declares an enum that fits one atomic byte, with its word for every reader.
macro_rules! byte_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for it in JSON; the screen shows the same with blanks for `_`.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The byte kept in a dial.
            pub const fn to_byte(self) -> u8 {
                self as u8
            }

            /// Back from a dial's byte; `None` for a byte that means nothing.
            pub fn from_byte(byte: u8) -> Option<Self> {
                Self::ALL.get(usize::from(byte)).copied()
            }
        }
    };
}

byte_enum! {
    /// Where a connection stands.
    Phase {
        /// Nothing understood yet: the dialect itself is still open.
        Opening = "opening",
        /// A head has begun to arrive and is not whole.
        Request = "request",
        /// Between two requests.
        Idle = "idle",
        /// A payload goes out.
        Sending = "sending",
        /// A payload comes in.
        Receiving = "receiving",
        /// All is said; the peer's last bytes are being drained.
        Lingering = "lingering",
    }
}

byte_enum! {
    /// Which limit a connection ran over.
    Rule {
        /// Nothing came after accept (`--first-byte-timeout`).
        FirstByte = "first_byte_timeout",
        /// The head was not whole in time (`--head-timeout`).
        Head = "head_timeout",
        /// classic's whole request was not there in time (`--request-timeout`).
        Request = "request_timeout",
        /// A transfer moved no byte for too long (`--stall-timeout`).
        Stall = "stall_timeout",
        /// No request for too long (`--idle-timeout`).
        Idle = "idle_timeout",
    }
}

byte_enum! {
    /// How a connection ended. Data, not an error: law 7.
    End {
        /// All was said and done.
        Done = "done",
        /// The peer closed first.
        PeerClosed = "peer_closed",
        /// A limit fired; the `timeout` event names it.
        Timeout = "timeout",
        /// The peer broke its protocol.
        Malformed = "malformed",
        /// The answer was no.
        Refused = "refused",
        /// A newcomer needed the place of a silent connection.
        Displaced = "displaced",
        /// The operator ended it.
        Kicked = "kicked",
        /// The server is leaving.
        Shutdown = "shutdown",
        /// The disk or the network failed.
        Failed = "failed",
        /// The connection's own task panicked: a fault in ferrydeck.
        Panicked = "panicked",
    }
}

byte_enum! {
    /// How a transfer ended. The first three went well; there are no other words for that.
    Outcome {
        /// The content's BLAKE3 root was checked.
        CompleteHash = "complete_hash",
        /// As many bytes as announced arrived.
        CompleteLength = "complete_length",
        /// The dialect cannot prove where the content ends.
        EndedNotProvable = "ended_not_provable",
        /// Cut, changed underneath, disk full, refused in the middle.
        Failed = "failed",
        /// Ended by its own user, or by the server's shutdown.
        Cancelled = "cancelled",
        /// Ended by the operator.
        Kicked = "kicked",
        /// Ended by the clock.
        TimedOut = "timed_out",
    }
}

impl Outcome {
    /// The words a person reads.
    pub const fn words(self) -> &'static str {
        match self {
            Self::CompleteHash => "complete (hash)",
            Self::CompleteLength => "complete (length)",
            Self::EndedNotProvable => "ended, not provable",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Kicked => "kicked",
            Self::TimedOut => "timed out",
        }
    }

    /// Whether the file stands under its own name at the receiver.
    pub const fn went_well(self) -> bool {
        matches!(
            self,
            Self::CompleteHash | Self::CompleteLength | Self::EndedNotProvable
        )
    }
}

byte_enum! {
    /// Which way the payload goes, seen from this process.
    Direction {
        /// From here to the peer.
        Out = "out",
        /// From the peer to here.
        In = "in",
    }
}

byte_enum! {
    /// What a name in a listing stands for.
    Kind {
        /// A folder; shown first.
        Dir = "dir",
        /// A regular file.
        File = "file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_shown_escaped() {
        let cases: [(&[u8], &str); 8] = [
            (b"plain.txt", "plain.txt"),
            (b"a\x1b[2Jb", "a\\x1b[2Jb"),
            ("x\u{202e}txt.exe".as_bytes(), "x\\u{202e}txt.exe"),
            ("z\u{200b}w".as_bytes(), "z\\u{200b}w"),
            ("c1\u{9b}31m".as_bytes(), "c1\\u{9b}31m"),
            ("l\u{2028}s".as_bytes(), "l\\u{2028}s"),
            (b"\xff\xfeq", "\\xff\\xfeq"),
            ("日本 ok".as_bytes(), "日本 ok"),
        ];
        for (raw, shown) in cases {
            assert_eq!(DisplayName::new(raw).as_str(), shown);
        }
    }

    #[test]
    fn a_path_knows_its_folder_and_its_name() {
        let path = RemotePath::from("iso/old/a.iso");
        assert_eq!(path.parent(), RemotePath::from("iso/old"));
        assert_eq!(path.file_name(), b"a.iso");
        assert_eq!(RemotePath::from("a").parent(), RemotePath::root());
        assert_eq!(RemotePath::root().parent(), RemotePath::root());
        assert_eq!(RemotePath::root().join("x").join("y").as_str(), Some("x/y"));
    }

    #[test]
    fn every_byte_of_a_dial_comes_back() {
        for &phase in Phase::ALL {
            assert_eq!(Phase::from_byte(phase.to_byte()), Some(phase));
        }
        assert_eq!(Phase::from_byte(200), None);
        for &outcome in Outcome::ALL {
            assert_eq!(Outcome::from_byte(outcome.to_byte()), Some(outcome));
        }
    }

    #[test]
    fn a_listener_word_is_understood_once() {
        assert_eq!(Speak::parse("auto"), Some(Speak::Auto));
        assert_eq!(Speak::parse("classic"), Some(Speak::Only(Dialect::Classic)));
        assert_eq!(Speak::parse("Classic"), None);
        for dialect in Dialect::ALL {
            assert_eq!(Speak::parse(dialect.label()), Some(Speak::Only(dialect)));
        }
    }
}
