//! A user-mode queue as its thread sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::gl2::Gl2;
use crate::queue::{Control, Idle, Stopped};
use crate::session::{PageFault, Session};

/// The queue's place in the session, and what its creator holds of it.
pub struct Ring {
    /// The session it belongs to.
    pub session: &'static Session,
    /// Index of its card.
    pub gpu: usize,
    /// Id given to the creator.
    pub id: u32,
    /// GPU address of the read index.
    pub read_pointer: u64,
    /// Where its packets lie, and whether they may be run.
    pub control: Arc<Control>,
    /// The doorbell.
    pub doorbell: &'static AtomicU64,
}

/// Why a packet was not carried out.
#[derive(Debug, PartialEq, Eq)]
pub enum PacketError {
    /// The queue is being destroyed.
    Stopped,
    /// The card does not see an address.
    Fault(PageFault),
    /// Not a packet that is modelled; what it was.
    Unknown(String),
}

impl From<PageFault> for PacketError {
    fn from(fault: PageFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Stopped> for PacketError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl Ring {
    /// The doorbell's value.
    pub fn doorbell(&self) -> u64 {
        self.doorbell.load(Ordering::Acquire)
    }

    /// Whether packets may be taken now.
    pub fn may_run(&self) -> Result<bool, Stopped> {
        self.control.may_run()
    }

    /// The card's cache.
    pub fn gl2(&self) -> &'static Gl2 {
        &self.session.gl2[self.gpu]
    }

    /// An aligned word that the card sees at `va`.
    pub fn word(&self, va: u64) -> Result<&'static AtomicU64, PageFault> {
        if !va.is_multiple_of(8) {
            return Err(PageFault { gpu: self.gpu, va });
        }
        let host = self.session.reach(self.gpu, va, 8)?;
        // SAFETY: reachable and aligned; the program may change it at any time, hence the atomic.
        Ok(unsafe { &*host.cast::<AtomicU64>() })
    }

    /// Waits until `condition` holds.
    pub fn wait_until(&self, mut condition: impl FnMut() -> Result<bool, PacketError>) -> Result<(), PacketError> {
        let mut idle = Idle::default();
        while !condition()? {
            self.may_run()?;
            idle.pause();
        }
        Ok(())
    }
}
