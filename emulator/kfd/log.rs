//! The log: one JSON object a line, appended by one write, so that processes can share a file.
//! README.md documents the events.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::svm::attr;
use crate::uapi;

/// Names of the bits of `KFD_IOC_ALLOC_MEM_FLAGS_*`.
const ALLOC_FLAGS: [(u32, &str); 14] = [
    (1 << 0, "VRAM"),
    (1 << 1, "GTT"),
    (1 << 2, "USERPTR"),
    (1 << 3, "DOORBELL"),
    (1 << 4, "MMIO_REMAP"),
    (1 << 23, "CONTIGUOUS"),
    (1 << 24, "EXT_COHERENT"),
    (1 << 25, "UNCACHED"),
    (1 << 26, "COHERENT"),
    (1 << 27, "AQL_QUEUE_MEM"),
    (1 << 28, "NO_SUBSTITUTE"),
    (1 << 29, "PUBLIC"),
    (1 << 30, "EXECUTABLE"),
    (1 << 31, "WRITABLE"),
];

/// Names of the bits of `KFD_IOCTL_SVM_FLAG_*`.
const SVM_FLAGS: [(u32, &str); 8] = [
    (1 << 0, "HOST_ACCESS"),
    (1 << 1, "COHERENT"),
    (1 << 2, "HIVE_LOCAL"),
    (1 << 3, "GPU_RO"),
    (1 << 4, "GPU_EXEC"),
    (1 << 5, "GPU_READ_MOSTLY"),
    (1 << 6, "GPU_ALWAYS_MAPPED"),
    (1 << 7, "EXT_COHERENT"),
];

/// Names of the bits set in `value`; bits without a name stay visible in the raw value.
fn names(value: u32, table: &[(u32, &'static str)]) -> Vec<&'static str> {
    table.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect()
}

/// Whether there is a log.
pub fn is_enabled() -> bool {
    file().is_some()
}

fn file() -> Option<&'static CString> {
    static FILE: OnceLock<Option<CString>> = OnceLock::new();
    FILE.get_or_init(|| {
        let path = std::env::var_os("RMCP_KFD_LOG").filter(|path| !path.is_empty())?;
        // The program may change its directory.
        let path = std::path::absolute(path).ok()?;
        CString::new(path.as_os_str().as_bytes()).ok()
    })
    .as_ref()
}

/// Appends an event. The file is opened for each line: a descriptor kept open could be closed, or its
/// number reused, by the program.
pub fn event(name: &str, fields: Value) {
    let Some(path) = file() else { return };
    let line = line(std::process::id(), name, fields);
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC;
    // SAFETY: a terminated path, a buffer of the given length, and a descriptor that was just opened.
    unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o644) as i32;
        if fd >= 0 {
            libc::syscall(libc::SYS_write, fd, line.as_ptr(), line.len());
            libc::syscall(libc::SYS_close, fd);
        }
    }
}

fn line(pid: u32, name: &str, fields: Value) -> String {
    let mut object = Map::new();
    object.insert("pid".into(), pid.into());
    object.insert("event".into(), name.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object).to_string() + "\n"
}

/// Says why Linux refuses a call, and gives the errno.
pub fn refused(call: &str, errno: i32, why: &str) -> i32 {
    event("refused", json!({ "call": call, "errno": errno, "why": why }));
    errno
}

/// An address or handle as the log writes it.
pub fn hex(value: u64) -> String {
    format!("{value:#x}")
}

/// Logs a KFD call that has returned; `errno` 0 means success.
///
/// # Safety
/// `arg` must be the argument of `request`, still readable.
pub unsafe fn call(request: u64, arg: u64, errno: i32) {
    if !is_enabled() {
        return;
    }
    // SAFETY: the caller's promise.
    let Some((name, mut fields)) = (unsafe { describe(request, arg) }) else { return };
    if errno != 0 {
        fields["errno"] = errno.into();
    }
    event(name, fields);
}

/// Event name and fields of a KFD call; none for calls that the log leaves out.
unsafe fn describe(request: u64, arg: u64) -> Option<(&'static str, Value)> {
    use uapi::nr;
    // SAFETY, for every read below: `describe`'s caller passes the argument of the request, and each
    // type is the one the kernel reads for that number.
    Some(match uapi::ioc_nr(request) {
        nr::ALLOC_MEMORY_OF_GPU => {
            // SAFETY: see above.
            let a: uapi::AllocMemory = unsafe { uapi::read(arg) };
            ("alloc", alloc(&a))
        }
        nr::FREE_MEMORY_OF_GPU => {
            // SAFETY: see above.
            let a: uapi::FreeMemory = unsafe { uapi::read(arg) };
            ("free", json!({ "handle": hex(a.handle) }))
        }
        number @ (nr::MAP_MEMORY_TO_GPU | nr::UNMAP_MEMORY_FROM_GPU) => {
            // SAFETY: see above.
            let a: uapi::MapMemory = unsafe { uapi::read(arg) };
            let count = u64::from(a.n_gpus.min(64));
            // SAFETY: the caller passed that many ids.
            let gpus: Vec<u32> = (0..count).map(|i| unsafe { uapi::read(a.gpu_ids + 4 * i) }).collect();
            let name = if number == nr::MAP_MEMORY_TO_GPU { "map" } else { "unmap" };
            (name, json!({ "handle": hex(a.handle), "gpu_ids": gpus }))
        }
        nr::SVM => {
            // SAFETY: see above.
            let a: uapi::Svm = unsafe { uapi::read(arg) };
            // SAFETY: the attributes follow the head.
            let attrs = unsafe { svm_attrs(arg, a.nattr) };
            ("svm", svm(&a, &attrs))
        }
        nr::CREATE_QUEUE => {
            // SAFETY: see above.
            let a: uapi::CreateQueue = unsafe { uapi::read(arg) };
            let kind = ["COMPUTE", "SDMA", "COMPUTE_AQL", "SDMA_XGMI", "SDMA_BY_ENG_ID"];
            let kind = kind.get(a.queue_type as usize).copied().unwrap_or("UNKNOWN");
            let fields = json!({
                "op": "create", "queue_id": a.queue_id, "gpu_id": a.gpu_id, "type": kind,
                "ring": hex(a.ring_base), "ring_size": a.ring_size,
            });
            ("queue", fields)
        }
        nr::DESTROY_QUEUE => {
            // SAFETY: see above.
            let a: uapi::DestroyQueue = unsafe { uapi::read(arg) };
            ("queue", json!({ "op": "destroy", "queue_id": a.queue_id }))
        }
        _ => return None,
    })
}

/// The attributes that follow the head of an SVM call.
///
/// # Safety
/// `arg` must point to a head with `count` attributes behind it.
pub unsafe fn svm_attrs(arg: u64, count: u32) -> Vec<(u32, u32)> {
    let first = arg + size_of::<uapi::Svm>() as u64;
    // SAFETY: the caller's promise.
    (0..u64::from(count)).map(|i| unsafe { (uapi::read(first + 8 * i), uapi::read(first + 8 * i + 4)) }).collect()
}

fn alloc(a: &uapi::AllocMemory) -> Value {
    json!({
        "gpu_id": a.gpu_id, "va": hex(a.va), "size": a.size, "handle": hex(a.handle),
        "raw": format!("{:#010x}", a.flags), "flags": names(a.flags, &ALLOC_FLAGS),
    })
}

fn svm(a: &uapi::Svm, attrs: &[(u32, u32)]) -> Value {
    let attrs: Vec<Value> = attrs.iter().map(|&(kind, value)| svm_attr(kind, value)).collect();
    let op = ["SET", "GET"].get(a.op as usize).copied().unwrap_or("UNKNOWN");
    json!({ "op": op, "addr": hex(a.start), "size": a.size, "attrs": attrs })
}

fn svm_attr(kind: u32, value: u32) -> Value {
    const TYPES: [&str; 8] = [
        "PREFERRED_LOC",
        "PREFETCH_LOC",
        "ACCESS",
        "ACCESS_IN_PLACE",
        "NO_ACCESS",
        "SET_FLAGS",
        "CLR_FLAGS",
        "GRANULARITY",
    ];
    let name = TYPES.get(kind as usize).copied().unwrap_or("UNKNOWN");
    let mut found = json!({ "type": name, "value": value });
    if matches!(kind, attr::SET_FLAGS | attr::CLR_FLAGS) {
        found["flags"] = names(value, &SVM_FLAGS).into();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_with_pid_and_event() {
        let text = line(42, "mark", json!({ "label": "two\nlines" }));
        assert_eq!(text.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value, json!({ "pid": 42, "event": "mark", "label": "two\nlines" }));
    }

    #[test]
    fn an_allocation_shows_its_flags_raw_and_by_name() {
        let a = uapi::AllocMemory { va: 0x7f00, size: 4096, flags: 0x9400_0004, gpu_id: 7, ..Default::default() };
        let value = alloc(&a);
        assert_eq!(value["raw"], "0x94000004");
        assert_eq!(value["flags"], json!(["USERPTR", "COHERENT", "NO_SUBSTITUTE", "WRITABLE"]));
        assert_eq!((&value["va"], &value["size"]), (&json!("0x7f00"), &json!(4096)));
    }

    #[test]
    fn an_svm_call_shows_which_flags_it_sets_and_clears() {
        let a = uapi::Svm { start: 0x1000, size: 0x2000, op: 0, nattr: 3 };
        let value = svm(&a, &[(attr::SET_FLAGS, 1), (attr::CLR_FLAGS, 2), (attr::ACCESS, 7)]);
        assert_eq!((&value["op"], &value["addr"]), (&json!("SET"), &json!("0x1000")));
        assert_eq!(value["attrs"][0], json!({ "type": "SET_FLAGS", "value": 1, "flags": ["HOST_ACCESS"] }));
        assert_eq!(value["attrs"][1]["flags"], json!(["COHERENT"]));
        assert_eq!(value["attrs"][2], json!({ "type": "ACCESS", "value": 7 }));
    }

    #[test]
    fn a_call_is_described_from_its_argument() {
        let gpus = [3_u32, 5];
        let a = uapi::MapMemory { handle: 0x10, gpu_ids: gpus.as_ptr() as u64, n_gpus: 2, n_success: 2 };
        // SAFETY: the argument is of the type its number asks for.
        let found = unsafe { describe(u64::from(uapi::nr::MAP_MEMORY_TO_GPU), &raw const a as u64) };
        assert_eq!(found, Some(("map", json!({ "handle": "0x10", "gpu_ids": [3, 5] }))));
    }
}
