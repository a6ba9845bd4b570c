//! Archives of object files (`.a`). (ar(5))

use super::source::Span;
use super::{Code, list_code};

/// How an archive begins.
pub(super) const MAGIC: &[u8; 8] = b"!<arch>\n";
/// How one begins whose members lie elsewhere.
pub(super) const THIN: &[u8; 8] = b"!<thin>\n";

const HEADER: u64 = 60;
/// More members than any archive has.
const MEMBERS: usize = 1 << 16;

/// Lists the code in every member.
pub(super) fn list_members(span: Span<'_>, code: &mut Code) {
    let mut at = MAGIC.len() as u64;
    for _ in 0..MEMBERS {
        if at >= span.size() {
            return;
        }
        let header = span.array::<{ HEADER as usize }>(at);
        let size = header.as_ref().and_then(member_size);
        let member = size.and_then(|size| span.slice(at + HEADER, size));
        let Some(member) = member else {
            return code.add_problem(format!("the archive is broken or cut off at {at:#x}"));
        };
        list_code(member, code);
        // Members begin at even offsets.
        at += HEADER + member.size().next_multiple_of(2);
    }
    code.add_problem(format!("more than {MEMBERS} members; the rest was not read"));
}

/// The decimal size in a member's header.
fn member_size(header: &[u8; HEADER as usize]) -> Option<u64> {
    header.ends_with(b"`\n").then_some(())?;
    std::str::from_utf8(&header[48..58]).ok()?.trim_end().parse().ok()
}
