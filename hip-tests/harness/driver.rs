//! The stub driver's functions, from the hook table: `loading/driver.c` includes them.

use rmcp_abi::{HOOKS, HookInfo, Library};
use std::fmt::Write;

/// `functions.h`: a line `HIP(name, result, (parameters), (arguments), (numbers), writes)` for each hook of HIP, and `HSA`
/// for those of HSA.
pub(crate) fn functions() -> String {
    HOOKS.iter().fold(String::new(), |mut text, hook| {
        writeln!(text, "{}", function(hook)).expect("a string takes all");
        text
    })
}

fn function(hook: &HookInfo) -> String {
    let library = match hook.library {
        Library::Hip => "HIP",
        Library::Hsa => "HSA",
    };
    let result = if hook.library == Library::Hip { "int" } else { "uint32_t" };
    let parameters: Vec<_> = hook.parameters().map(|(name, ty)| Parameter::new(name, ty)).collect();
    let list = |part: fn(&Parameter) -> Option<String>, separator| {
        parameters.iter().filter_map(part).collect::<Vec<_>>().join(separator)
    };
    let declared = list(|parameter| Some(format!("{} {}", parameter.ty, parameter.name)), ", ");
    let declared = if declared.is_empty() { "void" } else { &declared };
    let arguments = list(|parameter| Some(parameter.name.into()), ", ");
    // An array has an element at least: the first one does not count.
    let numbers = ["0".into(), list(|parameter| parameter.number.clone(), ", ")].join(", ");
    let numbers = numbers.trim_end_matches(", ");
    let writes = list(|parameter| parameter.write.clone(), " ");
    format!("{library}({}, {result}, ({declared}), ({arguments}), ({numbers}), {writes})", hook.name)
}

struct Parameter {
    name: &'static str,
    /// In C.
    ty: &'static str,
    /// The number that the driver notes.
    number: Option<String>,
    /// How the driver writes an answer there.
    write: Option<String>,
}

impl Parameter {
    /// # Panics
    /// At a type that no function of the table had before.
    fn new(name: &'static str, ty: &str) -> Parameter {
        let number = Some(name.to_owned());
        let write = |writer: &str| Some(format!("write_{writer}({name});"));
        // The last parameter is the device.
        let properties = |writer: &str| Some(format!("write_{writer}({name}, device);"));
        // `* mut c_void`, as the compiler writes it.
        let (ty, number, write) = match ty.replace("* ", "*").as_str() {
            "i32" => ("int", number, None),
            "u32" => ("uint32_t", number, None),
            "u64" | "HsaPool" => ("uint64_t", number, None),
            "usize" => ("size_t", number, None),
            "HipExtent" => ("struct HipExtent", Some(format!("bytes({name})")), None),
            "*mut *mut c_void" => ("void **", None, write("address")),
            "*mut u32" => ("uint32_t *", None, write("u32")),
            "*mut usize" => ("size_t *", None, write("size")),
            "*mut i32" => ("int *", None, write("i32")),
            "*mut PropertiesR0000" => ("struct PropertiesR0000 *", None, properties("R0000")),
            "*mut PropertiesR0600" => ("struct PropertiesR0600 *", None, properties("R0600")),
            // What is read, or written by nobody who looks at it.
            "*const c_void" | "*const c_char" | "*mut c_void" => ("const void *", None, None),
            "*mut u64" => ("uint64_t *", None, None),
            unknown => panic!("what is {unknown} in C?"),
        };
        Parameter { name, ty, number, write }
    }
}
