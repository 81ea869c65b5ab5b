/** CRuby 3.4 with its standard library: a library that has been through Binaryen's Asyncify, for its own exceptions and fibers. */

import type { Instance } from "stackful";
import { readInstalled } from "../../programs/program.ts";
import type { WasiCase, WasiProgram } from "./program.ts";

const ENCODER = new TextEncoder();
/** `rb-eval-string-protect` answers with a pointer to these: a handle, and how the script ended. */
const RESULT_STATE = 4;

/** What calls of exports need: texts in the program's memory. */
class RubyCalls {
  readonly #instance: Instance<object>;

  constructor(instance: Instance<object>) {
    this.#instance = instance;
  }

  get #memory(): ArrayBuffer {
    return (this.#instance.exports as { memory: WebAssembly.Memory }).memory.buffer;
  }

  async call(name: string, ...params: readonly number[]): Promise<number> {
    return this.#instance.function(name as never).call(params as never);
  }

  async #allocate(bytes: number, alignment: number): Promise<number> {
    return this.call("cabi_realloc", 0, 0, alignment, bytes);
  }

  async #text(text: string): Promise<[pointer: number, length: number]> {
    const bytes = ENCODER.encode(text);
    const pointer = await this.#allocate(bytes.length, 1);
    new Uint8Array(this.#memory, pointer, bytes.length).set(bytes);
    return [pointer, bytes.length];
  }

  async initialize(args: readonly string[]): Promise<void> {
    const texts = [];
    // The C strings that they become end with a zero.
    for (const text of args) texts.push(await this.#text(`${text}\0`));
    const list = await this.#allocate(8 * texts.length, 4);
    new Uint32Array(this.#memory, list, 2 * texts.length).set(texts.flat());
    await this.call("ruby-init: func(args: list<string>) -> ()", list, texts.length);
  }

  /** @returns whether it has come to its end */
  async evaluate(source: string): Promise<boolean> {
    const [pointer, length] = await this.#text(source);
    const result = await this.call(
      "rb-eval-string-protect: func(str: string) -> tuple<handle<rb-abi-value>, s32>",
      pointer,
      length,
    );
    return new DataView(this.#memory).getInt32(result + RESULT_STATE, true) === 0;
  }
}

/** Handles that Ruby gives out; here nobody uses them. */
const handles: number[] = [];

/** What the JavaScript bridge of Ruby would do; these scripts call no JavaScript. */
function noBridge(): never {
  throw new Error("This script has no JavaScript to call");
}

const BRIDGE = [
  "eval-js: func(code: string) -> variant { success(handle<js-abi-value>), failure(handle<js-abi-value>) }",
  "is-js: func(value: handle<js-abi-value>) -> bool",
  "instance-of: func(value: handle<js-abi-value>, klass: handle<js-abi-value>) -> bool",
  "global-this: func() -> handle<js-abi-value>",
  "int-to-js-number: func(value: s32) -> handle<js-abi-value>",
  "float-to-js-number: func(value: float64) -> handle<js-abi-value>",
  "string-to-js-string: func(value: string) -> handle<js-abi-value>",
  "bool-to-js-bool: func(value: bool) -> handle<js-abi-value>",
  "proc-to-js-function: func(value: u32) -> handle<js-abi-value>",
  "rb-object-to-js-rb-value: func(raw-rb-abi-value: u32) -> handle<js-abi-value>",
  "js-value-to-string: func(value: handle<js-abi-value>) -> string",
  "js-value-to-integer: func(value: handle<js-abi-value>) -> variant { as-float(float64), bignum(string) }",
  "export-js-value-to-host: func(value: handle<js-abi-value>) -> ()",
  "import-js-value-from-host: func() -> handle<js-abi-value>",
  "js-value-typeof: func(value: handle<js-abi-value>) -> string",
  "js-value-equal: func(lhs: handle<js-abi-value>, rhs: handle<js-abi-value>) -> bool",
  "js-value-strictly-equal: func(lhs: handle<js-abi-value>, rhs: handle<js-abi-value>) -> bool",
  "reflect-apply: func(target: handle<js-abi-value>, this-argument: handle<js-abi-value>, arguments: list<handle<js-abi-value>>) -> variant { success(handle<js-abi-value>), failure(handle<js-abi-value>) }",
  "reflect-get: func(target: handle<js-abi-value>, property-key: string) -> variant { success(handle<js-abi-value>), failure(handle<js-abi-value>) }",
  "reflect-set: func(target: handle<js-abi-value>, property-key: string, value: handle<js-abi-value>) -> variant { success(handle<js-abi-value>), failure(handle<js-abi-value>) }",
  "rb_wasm_throw_prohibit_rewind_exception",
];

const LANGUAGE = `
$stdout.sync = true
started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
sleep 0.15
puts Process.clock_gettime(Process::CLOCK_MONOTONIC) - started >= 0.15
fiber = Fiber.new { |x| 2.times { sleep 0.05; x = Fiber.yield(x * 2) }; :done }
puts fiber.resume(1), fiber.resume(10), fiber.resume(0)
def deep(n) = n == 0 ? (sleep 0.05; raise ArgumentError, "at the bottom") : deep(n - 1)
begin
  deep(50)
rescue ArgumentError => e
  sleep 0.05
  puts e.message
ensure
  sleep 0.05
  puts "ensure"
end
puts [3, 1, 2].sort_by { |n| sleep 0.01; -n }.inspect
`;

const INPUT = `
$stdout.sync = true
print "name? "
puts "hello #{$stdin.gets.chomp}"
p $stdin.each_line.map(&:chomp)
p $stdin.gets
`;

const FILES = `
$stdout.sync = true
require "fileutils"
FileUtils.mkdir_p("/work/a/b")
3.times { |i| File.write("/work/a/b/#{i}.txt", "line\\n" * (i + 1)) }
File.rename("/work/a/b/0.txt", "/work/a/zero.txt")
File.delete("/work/a/b/1.txt")
File.open("/work/a/zero.txt", "r+") { |f| f.seek(1); f.write("XX"); f.truncate(4) }
File.open("/work/a/zero.txt", "a") { |f| f.write("end") }
puts Dir.glob("/work/**/*").sort.inspect, File.readlines("/work/a/b/2.txt").size
FileUtils.cp("/work/a/zero.txt", "/work/copy.txt")
FileUtils.rm_r("/work/a")
["/work/missing", "/etc/passwd"].each do |path|
  File.read(path)
rescue SystemCallError => e
  puts e.class
end
`;

function script(source: string, expected: Omit<WasiCase, "args">): WasiCase {
  return { args: ["ruby", source], ...expected };
}

export const program: WasiProgram = {
  name: "ruby",
  module: () => readInstalled("@ruby/3.4-wasm-wasi/dist/ruby+stdlib.wasm"),
  imports: {
    "rb-js-abi-host": Object.fromEntries(BRIDGE.map((name) => [name, noBridge])),
    canonical_abi: {
      "resource_drop_js-abi-value": noBridge,
      "resource_new_rb-abi-value": (value: number) => handles.push(value) - 1,
      "resource_get_rb-abi-value": (handle: number) => handles[handle],
    },
  },
  async run(wasi, instance, [, source]) {
    await wasi.initialize(instance);
    const ruby = new RubyCalls(instance);
    await ruby.initialize(["ruby.wasm", "-EUTF-8", "-e_=0"]);
    return (await ruby.evaluate(source!)) ? 0 : 1;
  },
  cases: {
    "sleep, fibers, exceptions": script(LANGUAGE, {
      stdout: "true\n2\n20\ndone\nat the bottom\nensure\n[3, 2, 1]\n",
      waits: 400,
    }),
    input: script(INPUT, {
      stdin: [100, "World\nfir", 100, "st\nsecond\n", 50, "last"],
      stdout: 'name? hello World\n["first", "second", "last"]\nnil\n',
      waits: 230,
    }),
    files: script(FILES, {
      stdout: '["/work/a", "/work/a/b", "/work/a/b/2.txt", "/work/a/zero.txt"]\n3\nErrno::ENOENT\nErrno::ENOENT\n',
      filesAfter: { "copy.txt": "lXXeend" },
    }),
    exception: script(`sleep 0.05\nraise "uncaught"`, { stdout: "", exitCode: 1, waits: 40 }),
  },
};
