/** Compilers that make programs: clang from the npm registry, Rust and Go as far as this computer has them. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { installed } from "../../programs/program.ts";
import { Missing } from "./program.ts";

const SOURCES = path.resolve("test/wasi/programs/sources");

export type Sources = Readonly<Record<string, string | Uint8Array>>;

interface ClangOptions {
  stdout?(bytes: Uint8Array | null): void;
  stderr?(bytes: Uint8Array | null): void;
  fetchProgress?(): void;
  readonly decodeASCII?: boolean;
}

/** What is used here of `@yowasp/clang`. */
interface Clang {
  runClang(args: readonly string[] | null, files: Sources, options: ClangOptions): Promise<Record<string, Uint8Array>>;
}

export function source(name: string): string {
  return readFileSync(path.join(SOURCES, name), "utf8");
}

/** Files of an installed package, by their names without folders. */
export function installedSources(folder: string, names: readonly string[]): Sources {
  return Object.fromEntries(names.map((name) => [name, readFileSync(installed(path.join(folder, name)))]));
}

const OUTPUT = "program.wasm";

/** Compiles C with wasi-libc to a command. */
export async function clang(files: Sources, ...flags: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const { runClang } = (await import(installed("@yowasp/clang/gen/bundle.js"))) as Clang;
  let messages = "";
  const decoder = new TextDecoder();
  const collect = (bytes: Uint8Array | null): void => {
    if (bytes !== null) messages += decoder.decode(bytes);
  };
  await runClang(null, {}, { fetchProgress: () => {} }); // loads the compiler, silently
  const sources = Object.keys(files).filter((name) => name.endsWith(".c"));
  const made = await runClang(
    ["clang", "-O2", "-Wl,--strip-debug", "-Wl,-z,stack-size=1048576", ...flags, ...sources, "-o", OUTPUT],
    files,
    { stdout: collect, stderr: collect, decodeASCII: false },
  ).catch(() => ({})); // the compiler's own error holds every file, and not what the compiler said
  if (!(OUTPUT in made)) throw new Error(`${sources.join(", ")} cannot be compiled:\n${messages.slice(0, 4000)}`);
  return new Uint8Array(made[OUTPUT]);
}

function inTemporaryFolder<Result>(use: (folder: string) => Result): Result {
  const folder = mkdtempSync(path.join(tmpdir(), "stackful-build-"));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function firstOf(candidates: readonly (string | undefined)[], answers: (file: string) => boolean): string | undefined {
  return candidates.find((file): file is string => file !== undefined && answers(file));
}

function output(file: string, args: readonly string[]): string {
  try {
    return execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

/** Compiles a Rust program, with `STACKFUL_RUSTC` or whatever `rustc` there is that has WASI as a target. */
export function rust(file: string): Uint8Array<ArrayBuffer> {
  for (const target of ["wasm32-wasip1", "wasm32-wasi"]) {
    const compiler = firstOf([process.env["STACKFUL_RUSTC"], "rustc", "/usr/bin/rustc"], (candidate) => {
      const libraries = output(candidate, ["--print", "target-libdir", "--target", target]).trim();
      return libraries !== "" && existsSync(libraries);
    });
    if (compiler !== undefined) return rustWith(compiler, target, file);
  }
  throw new Missing("there is no rustc with the target wasm32-wasip1 or wasm32-wasi (STACKFUL_RUSTC)");
}

/** Debian's compiler has no linker of its own. */
const LINKERS = ["wasm-ld", "wasm-ld-14", "wasm-ld-19", "wasm-ld-22"];

function rustWith(compiler: string, target: string, file: string): Uint8Array<ArrayBuffer> {
  const linker = firstOf(LINKERS, (candidate) => output(candidate, ["--version"]) !== "");
  const flags = compiler.startsWith("/usr/") && linker !== undefined ? ["-C", `linker=${linker}`] : [];
  return inTemporaryFolder((folder) => {
    const wasm = path.join(folder, "program.wasm");
    const options = ["--edition", "2021", "-O", "-C", "strip=debuginfo", "--target", target, ...flags];
    execFileSync(compiler, [...options, path.join(SOURCES, file), "-o", wasm], { stdio: "inherit" });
    return new Uint8Array(readFileSync(wasm));
  });
}

/** Compiles a Go program, with `STACKFUL_GO` or the `go` there is, if it knows `wasip1` (1.21). */
export function go(file: string): Uint8Array<ArrayBuffer> {
  const compiler = firstOf([process.env["STACKFUL_GO"], "go"], (candidate) =>
    output(candidate, ["tool", "dist", "list"]).includes("wasip1/wasm"),
  );
  if (compiler === undefined) throw new Missing("there is no go 1.21 or later (STACKFUL_GO)");
  return inTemporaryFolder((folder) => {
    const wasm = path.join(folder, "program.wasm");
    const env = {
      ...process.env,
      GOOS: "wasip1",
      GOARCH: "wasm",
      GOPROXY: "off",
      GOTOOLCHAIN: "local",
      GOFLAGS: "-mod=mod",
      GOCACHE: process.env["GOCACHE"] ?? path.join(tmpdir(), "stackful-go-cache"),
    };
    execFileSync(compiler, ["build", "-o", wasm, path.join(SOURCES, file)], { stdio: "inherit", env, cwd: folder });
    return new Uint8Array(readFileSync(wasm));
  });
}
