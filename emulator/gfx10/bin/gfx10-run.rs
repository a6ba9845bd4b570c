//! Runs a kernel of a code object: `gfx10-run FILE KERNEL [OPTION ...]`. `--help` says more.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::process::ExitCode;

use gfx10::{CodeObject, Dispatch, Memory, Observer, Ram, Step};

const HELP: &str = "\
gfx10-run FILE                      lists the kernels of a code object (an ELF file for one gfx101x or gfx103x)
gfx10-run FILE KERNEL [OPTION ...]  runs one, and prints its buffers afterwards

  --grid X[,Y[,Z]]        work-items of the grid (default 1)
  --workgroup X[,Y[,Z]]   work-items of a work-group (default: the grid's, up to 64)
  --arg KIND:VALUES       the next argument; each kind but the buffers takes one value
      i32: u32: f32: i64: u64: f64:   a number, such as i32:-3
      f32s: u32s:                     a buffer of these numbers, such as f32s:1,2.5
      zeros:                          a buffer of so many words
  --lds BYTES             LDS beyond what the kernel declares
  --trace                 prints each instruction before it is done: work-group, wave, address, EXEC, text
";

/// Where the code object is put; the rest follows.
const CODE: u64 = 0x7f00_0000_0000;
const PAGE: usize = 4096;

/// An argument as bytes, or a buffer of words.
enum Argument {
    Value(Vec<u8>),
    Buffer { words: Vec<u32>, is_float: bool },
}

fn argument(text: &str) -> Result<Argument, String> {
    let (kind, values) = text.split_once(':').ok_or_else(|| format!("{text}: no KIND:VALUES"))?;
    let wrong = |_| format!("{text}: no number");
    let floats = |values: &str| {
        values
            .split(',')
            .map(|value| value.parse::<f32>().map_err(|_| format!("{text}: no number")))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match kind {
        "i32" => Argument::Value(values.parse::<i32>().map_err(wrong)?.to_le_bytes().into()),
        "u32" => Argument::Value(values.parse::<u32>().map_err(wrong)?.to_le_bytes().into()),
        "i64" => Argument::Value(values.parse::<i64>().map_err(wrong)?.to_le_bytes().into()),
        "u64" => Argument::Value(values.parse::<u64>().map_err(wrong)?.to_le_bytes().into()),
        "f32" => Argument::Value(floats(values)?.first().copied().unwrap_or_default().to_le_bytes().into()),
        "f64" => Argument::Value(values.parse::<f64>().map_err(|_| format!("{text}: no number"))?.to_le_bytes().into()),
        "f32s" => Argument::Buffer { words: floats(values)?.into_iter().map(f32::to_bits).collect(), is_float: true },
        "u32s" => {
            let words = values.split(',').map(str::parse).collect::<Result<_, _>>().map_err(wrong)?;
            Argument::Buffer { words, is_float: false }
        }
        "zeros" => Argument::Buffer { words: vec![0; values.parse().map_err(wrong)?], is_float: false },
        other => return Err(format!("{text}: no kind {other}")),
    })
}

/// Up to three sizes, the others 1.
fn sizes(text: &str) -> Result<[u32; 3], String> {
    let mut sizes = [1; 3];
    for (n, part) in text.split(',').enumerate() {
        let size = sizes.get_mut(n).ok_or_else(|| format!("{text}: more than three sizes"))?;
        *size = part.parse().map_err(|_| format!("{text}: no sizes"))?;
    }
    Ok(sizes)
}

/// What the command line says.
#[derive(Default)]
struct Options {
    file: String,
    kernel: Option<String>,
    grid: Option<[u32; 3]>,
    workgroup: Option<[u32; 3]>,
    arguments: Vec<Argument>,
    lds: u32,
    trace: bool,
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} without its value"));
        match word.as_str() {
            "--help" => return Err(HELP.to_owned()),
            "--grid" => options.grid = Some(sizes(&value()?)?),
            "--workgroup" => options.workgroup = Some(sizes(&value()?)?),
            "--arg" => options.arguments.push(argument(&value()?)?),
            "--lds" => options.lds = value()?.parse().map_err(|_| "--lds: no number of bytes".to_owned())?,
            "--trace" => options.trace = true,
            _ if word.starts_with('-') => return Err(format!("no option {word}\n\n{HELP}")),
            _ if options.file.is_empty() => options.file = word,
            _ if options.kernel.is_none() => options.kernel = Some(word),
            _ => return Err(format!("{word} is one word too many\n\n{HELP}")),
        }
    }
    if options.file.is_empty() { Err(HELP.to_owned()) } else { Ok(options) }
}

/// Prints each instruction.
struct Trace;

impl Observer for Trace {
    fn before(&mut self, step: &Step<'_>) {
        let [x, y, z] = step.workgroup;
        let exec = step.registers.exec();
        println!("{x},{y},{z} wave {} {:#x} exec {exec:#x}  {step}", step.wave, step.pc - CODE);
    }
}

fn run(options: &Options) -> Result<String, String> {
    let file = std::fs::read(&options.file).map_err(|error| format!("{}: {error}", options.file))?;
    let object = CodeObject::parse(&file).map_err(|error| format!("{}: {error}", options.file))?;
    let Some(name) = &options.kernel else {
        return Ok(object.kernels.iter().map(|kernel| kernel.name.clone() + "\n").collect());
    };
    let kernel = object.kernel(name).ok_or_else(|| format!("{} has no kernel {name}", options.file))?;
    let grid = options.grid.unwrap_or([1; 3]);
    let workgroup = options.workgroup.unwrap_or([grid[0].min(64), 1, 1]);

    // The code, the packet, the arguments, then the buffers, each on pages of its own.
    let image = object.image(CODE);
    let pages = |bytes: usize| bytes.next_multiple_of(PAGE) as u64;
    let packet = CODE + pages(image.len());
    let kernarg = packet + PAGE as u64;
    let mut next = kernarg + pages(kernel.kernarg_bytes as usize + PAGE);
    let mut explicit: Vec<u8> = Vec::new();
    let mut buffers = Vec::new();
    for argument in &options.arguments {
        let bytes = match argument {
            Argument::Value(bytes) => bytes.clone(),
            Argument::Buffer { words, is_float } => {
                buffers.push((next, words, *is_float));
                let address = next.to_le_bytes().to_vec();
                next += pages(4 * words.len());
                address
            }
        };
        explicit.resize(explicit.len().next_multiple_of(bytes.len()), 0);
        explicit.extend(bytes);
    }
    let dispatch = Dispatch {
        target: object.target,
        workgroup: workgroup.map(|size| u16::try_from(size).unwrap_or(u16::MAX)),
        grid,
        private_bytes: kernel.private_bytes,
        group_bytes: kernel.group_bytes + options.lds,
        kernel_object: CODE + kernel.descriptor,
        kernarg,
        packet,
        queue: 0,
        id: 0,
    };
    let ram = Ram::new(CODE, (next - CODE) as usize);
    let put = |va: u64, bytes: &[u8]| ram.store(va, bytes).map_err(|fault| format!("no memory at {:#x}", fault.va));
    put(CODE, &image)?;
    put(packet, &dispatch.packet_bytes())?;
    put(kernarg, &object.arguments(kernel, &explicit, &dispatch))?;
    for (va, words, _) in &buffers {
        ram.put(*va, words);
    }
    let done = if options.trace { dispatch.observe(&ram, &|| true, &mut Trace) } else { dispatch.run(&ram, &|| true) };
    let done = done.map_err(|stop| format!("{name}: {stop}"))?;
    let mut text = format!("{} instructions\n", done.instructions);
    for (number, (va, words, is_float)) in buffers.into_iter().enumerate() {
        let words = (0..words.len() as u64).map(|n| ram.word(va + 4 * n));
        let shown = words.map(|word| if is_float { f32::from_bits(word).to_string() } else { word.to_string() });
        let _ = writeln!(text, "buffer {number}: {}", shown.collect::<Vec<_>>().join(" "));
    }
    Ok(text)
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{}", text.trim_end());
            ExitCode::FAILURE
        }
    }
}
