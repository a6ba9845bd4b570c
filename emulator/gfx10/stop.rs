//! Why a kernel did not run to its end.

use crate::memory::Fault;

/// Why a kernel did not run to its end. Addresses are the card's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// An access to memory that the card does not see, by the instruction at `pc`.
    Fault {
        /// The address that was touched.
        fault: Fault,
        /// The instruction's address.
        pc: u64,
        /// The instruction.
        text: String,
    },
    /// An instruction, or a form of one, that is not known here.
    Unknown {
        /// The instruction's address.
        pc: u64,
        /// Its first words.
        words: [u32; 2],
        /// What was recognized of it.
        text: String,
    },
    /// The instruction at `pc` asked for something that is not modelled, or trapped.
    Trap {
        /// The instruction's address.
        pc: u64,
        /// The reason.
        text: String,
    },
    /// The dispatch itself cannot be carried out.
    Refused(String),
    /// `keep_going` said no.
    Cancelled,
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fault { fault, pc, text } => {
                write!(f, "{text} at {pc:#x} touched {:#x}, which is not mapped to the card", fault.va)
            }
            Self::Unknown { pc, words, text } => {
                write!(f, "unknown instruction at {pc:#x}: {:08x} {:08x} ({text})", words[0], words[1])
            }
            Self::Trap { pc, text } => write!(f, "at {pc:#x}: {text}"),
            Self::Refused(text) => f.write_str(text),
            Self::Cancelled => f.write_str("the dispatch was cancelled"),
        }
    }
}

impl std::error::Error for Stop {}
