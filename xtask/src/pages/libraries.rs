//! The libraries, from config/libraries.toml.

use generated_text::table;
use rmcp_domain::libraries::{LIBRARIES, Library, Memory};

pub fn text() -> String {
    let head = ["library", "files", "what it does with host memory", "how sure", "source"];
    let section = |(memory, title, text): &(Memory, &str, &str)| {
        let rows = LIBRARIES.iter().filter(|library| library.memory == *memory).map(row);
        format!("## {title}\n\n{text}\n\n{}", table(head, rows))
    };
    SECTIONS.iter().map(section).collect::<Vec<_>>().join("\n")
}

fn row(library: &Library) -> [String; 5] {
    let files = library.files.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", ");
    let confidence = format!("{:?}", library.confidence);
    [library.name.into(), files, library.does.into(), confidence, library.sources.join(", ")]
}

const SECTIONS: [(Memory, &str, &str); 3] = [
    (
        Memory::Keep,
        "Those that need coherent memory",
        "What they allocate is forwarded as they ask, in every use of RMCP: `host`, `managed`, `device_finegrained`,\n\
         `device_uncached` and `hsa_pool` do not act for them.",
    ),
    (
        Memory::Rewrite,
        "Those that are right with non-coherent memory",
        "Where RMCP is [in every process](../guide/machine.md), `host` and `managed` act for these alone, and in programs that a file of\n\
         options names.",
    ),
    (
        Memory::Unmapped,
        "Those that are right with it but for mapped memory",
        "As above; but `host` leaves alone what they ask for as Mapped, in every use of RMCP: `unmapped` in place of\n\
         `noncoherent`.",
    ),
];
