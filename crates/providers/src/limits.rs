//! What a provider may send at most.

/// Bounds on the bytes of one call, so that a hostile or broken provider costs a bounded amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// The most bytes of one event, line ends and field names included.
    pub frame_bytes: usize,
    /// The most bytes of one call.
    pub call_bytes: u64,
}

impl Default for UpstreamLimits {
    /// One mebibyte for an event, sixteen for a call.
    fn default() -> Self {
        Self { frame_bytes: 1 << 20, call_bytes: 16 << 20 }
    }
}
