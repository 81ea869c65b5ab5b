/**
 * Builds the test guests: every `.wat`, `.c` and `.cpp` here into the `.wasm` beside it.
 *
 *   node test/guests/build.mjs                  all of them
 *   node test/guests/build.mjs frames loop      the named ones (a name is that of the .wasm file)
 *   node test/guests/build.mjs --check [names]  writes nothing; exit code 1 if a file differs
 *
 * The compilers are npm packages that need no native code: run `npm ci` in this folder first.
 * Their versions are pinned, so the same source gives the same bytes on every machine.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";

const folder = new URL("./", import.meta.url);

// -- C and C++: @yowasp/clang (LLVM), itself WebAssembly: runs in this process, on files given as strings.

/** Without libc: exports only what the source marks. */
const BARE = ["--target=wasm32-unknown-unknown", "-nostdlib", "-ffreestanding", "-Wl,--no-entry", "-Wl,--strip-debug"];
const BARE_64 = BARE.map((flag) => flag.replace("wasm32", "wasm64"));
/** Without libc and without a name section. */
const STRIPPED = BARE.map((flag) => flag.replace("--strip-debug", "--strip-all"));
/** With wasi-libc, as a reactor: no main; `_initialize` is exported and must be called once. */
const LIBC = ["--target=wasm32-wasip1", "-mexec-model=reactor", "-Wl,--strip-debug"];
/** With wasi-libc, as a program: main, and `_start` exported. */
const PROGRAM = ["--target=wasm32-wasip1", "-Wl,--strip-debug"];
/** A side module: memory, table and the stack pointer itself come from the host. */
const PIC = ["-fPIC", "-Wl,--experimental-pic", "-Wl,-shared"];
const MALLOC = ["-Wl,--export=malloc", "-Wl,--export=free"];
const LEGACY_EXCEPTIONS = ["-mllvm", "-wasm-use-legacy-eh=true"];
const EXCEPTIONS = ["-mllvm", "-wasm-use-legacy-eh=false"];
const SETJMP = ["-mllvm", "-wasm-enable-sjlj", "-lsetjmp"];
/** setjmp.h wants to be told that there are exceptions. */
const EMSCRIPTEN_SETJMP = [
  "-mllvm",
  "-enable-emscripten-sjlj",
  "-D__wasm_exception_handling__",
  "-Wl,--allow-undefined",
];
const THREADS = ["-pthread", "-matomics", "-mbulk-memory", "-Wl,--shared-memory,--max-memory=16777216"];
const CLEANUPS = ["-fwasm-exceptions", "-fno-rtti"];

/** Each module made from C or C++: [source, ...flags]; -O2 unless stated. */
const fromC = {
  // frames.c: ways to find the stack pointer, and room for more stacks
  frames: ["frames.c", ...BARE],
  "frames-stripped": ["frames.c", ...STRIPPED],
  "frames-stripped-O0": ["frames.c", ...STRIPPED, "-O0"],
  "frames-exported-sp": ["frames.c", ...BARE, "-Wl,--export=__stack_pointer"],
  "frames-imported-sp": ["frames.c", ...BARE, ...PIC],
  "frames-malloc": ["frames.c", ...LIBC, ...MALLOC],
  "frames-no-grow": ["frames.c", ...BARE, "-Wl,--no-growable-memory"],
  "frames-imported-memory": ["frames.c", ...BARE, "-Wl,--import-memory"],
  "frames-memory64": ["frames.c", ...BARE_64],

  // overflow.c: what lies below the stack
  overflow: ["overflow.c", ...BARE],
  "overflow-data-first": ["overflow.c", ...BARE, "-Wl,--no-stack-first"],
  "overflow-malloc": ["overflow.c", ...LIBC, ...MALLOC, "-DWITH_MALLOC"],
  "overflow-large-stack": ["overflow.c", ...BARE, "-Wl,-z,stack-size=4194304"],

  // fiber.c: a guest with stacks of its own
  fiber: ["fiber.c", ...BARE, "-Wl,-z,stack-size=524288"],
  "fiber-O0": ["fiber.c", ...BARE, "-O0", "-Wl,-z,stack-size=524288"],

  // What the README shows.
  "quick-start-c": ["quick-start.c", "--target=wasm32", "-nostdlib", "-Wl,--no-entry"],

  countdown: ["countdown.c", ...BARE],
  wormhole: ["wormhole.c", ...BARE],
  generator: ["generator.c", ...BARE],
  sbrk: ["sbrk.c", ...BARE],
  "sbrk-imported-memory": ["sbrk.c", ...BARE, "-Wl,--import-memory"],
  tls: ["tls.c", ...BARE],
  plugin: ["plugin.c", ...LIBC, ...MALLOC],
  callback: ["callback.c", ...LIBC, ...MALLOC, "-Wl,--export-table"],

  "wasi-files": ["wasi-files.c", ...LIBC],
  // Programs that wait, as they are written for any system.
  "wasi-waits": ["wasi-waits.c", ...PROGRAM],
  "wasi-server": ["wasi-server.c", ...PROGRAM],
  "wasi-bytes": ["wasi-bytes.c", ...PROGRAM],
  "wasi-connect": ["wasi-connect.c", ...PROGRAM],
  // Tasks, channels and locks of stackful.h.
  "tasks-cases": ["tasks-cases.c", ...PROGRAM, "-I."],
  "tasks-tls": ["tasks-tls.c", ...BARE, ...THREADS, "-I."],
  "tasks-unwind": ["tasks-unwind.cpp", ...BARE, "-nostdinc++", ...CLEANUPS, ...LEGACY_EXCEPTIONS, "-I."],
  "tasks-bench": ["tasks-bench.c", ...LIBC, ...MALLOC, "-I."],

  // program.c: what programs do
  program: ["program.c", ...PROGRAM, "-D_WASI_EMULATED_SIGNAL", "-lwasi-emulated-signal"],

  // the same exceptions in both encodings
  "setjmp-legacy": ["setjmp.c", ...LIBC, ...SETJMP, ...LEGACY_EXCEPTIONS],
  "setjmp-exnref": ["setjmp.c", ...LIBC, ...SETJMP, ...EXCEPTIONS],
  // the same with Emscripten's JavaScript in between
  "setjmp-emscripten": ["emscripten-jumps.c", "emscripten-runtime.c", ...LIBC, ...MALLOC, ...EMSCRIPTEN_SETJMP],
  "exceptions-legacy": ["exceptions.cpp", ...BARE, ...CLEANUPS, ...LEGACY_EXCEPTIONS],
  "exceptions-exnref": ["exceptions.cpp", ...BARE, ...CLEANUPS, ...EXCEPTIONS],
  "cleanup-legacy": ["cleanup.cpp", ...BARE, ...CLEANUPS, ...LEGACY_EXCEPTIONS],
  "cleanup-exnref": ["cleanup.cpp", ...BARE, ...CLEANUPS, ...EXCEPTIONS],
};

async function buildC(name) {
  const [source, ...flags] = fromC[name];
  const { runClang } = await import("@yowasp/clang");
  await runClang(null, {}, { fetchProgress: () => {} }); // loads the compiler once, silently

  const driver = source.endsWith(".cpp") ? "clang++" : "clang";
  const output = `${name}.wasm`; // also the module name in the name section
  const sources = [source, "setjmp.c", ...flags.filter((flag) => flag.endsWith(".c"))];
  const files = { "host.h": read("host.h"), "stackful.h": read("../../include/stackful.h") };
  for (const file of sources) files[file] = read(file);
  const decoder = new TextDecoder();
  let messages = "";
  const collect = (bytes) => (messages += bytes === null ? "" : decoder.decode(bytes));
  const options = { stdout: collect, stderr: collect, decodeASCII: false };
  try {
    const built = await runClang(
      [driver, "-O2", "-Wall", "-Wextra", "-Werror", ...flags, source, "-o", output],
      files,
      options,
    );
    return built[output];
  } catch {
    throw new Error(`${name}: ${source} does not compile:\n${messages}`); // the error itself holds every file
  }
}

// -- Text: wabt, which encodes what is written, instruction by instruction. It knows both forms of
// -- exceptions but not GC or typed function references; those files go through binaryen.

const byBinaryen = new Set(["traps-gc", "atomics-memories"]);
const WABT_FEATURES = { exceptions: true, threads: true, memory64: true };

async function buildWat(name) {
  const source = read(`${name}.wat`);
  if (byBinaryen.has(name)) {
    const { default: binaryen } = await import("binaryen");
    const module = binaryen.parseText(source);
    module.setFeatures(binaryen.Features.All);
    if (!module.validate()) throw new Error(`${name}.wat is not valid`);
    binaryen.setDebugInfo(true); // keeps the names
    return module.emitBinary();
  }
  const { default: init } = await import("wabt");
  const wabt = await init();
  const module = wabt.parseWat(`${name}.wat`, source, WABT_FEATURES);
  module.validate(WABT_FEATURES);
  return module.toBinary({ write_debug_names: true }).buffer;
}

// -- The command

function read(file) {
  return readFileSync(new URL(file, folder), "utf8");
}

/** The names of the files that end so. */
function filesEnding(ending) {
  return readdirSync(folder)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));
}

/** Builds one guest and compares it with the committed file, or writes that. Returns true if they were the same. */
async function buildGuest(name, check) {
  const bytes = name in fromC ? await buildC(name) : await buildWat(name);
  const file = new URL(`${name}.wasm`, folder);
  const same = existsSync(file) && readFileSync(file).equals(bytes);
  if (!same && !check) writeFileSync(file, bytes);
  const change = check ? "DIFFERS" : "written";
  console.log(`${name}.wasm`.padEnd(28), `${bytes.length}`.padStart(6), "bytes", same ? "" : change);
  return same;
}

async function main(args) {
  const check = args.includes("--check");
  const names = args.filter((argument) => argument !== "--check");
  const known = [...new Set([...Object.keys(fromC), ...filesEnding(".wat")])];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no such guest: ${unknown.join(", ")}\nguests: ${known.join(", ")}`);
  }

  const different = [];
  for (const name of names.length > 0 ? names : known) {
    if (!(await buildGuest(name, check))) different.push(name);
  }
  if (check && different.length > 0) throw new Error(`differs from a fresh build: ${different.join(", ")}`);

  const orphans = filesEnding(".wasm").filter((name) => !known.includes(name));
  if (orphans.length > 0) throw new Error(`no source for: ${orphans.join(", ")}`); // it would never be rebuilt
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
