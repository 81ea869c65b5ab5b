/** What people take for a module, and is none. */

import { CommandError } from "./command.ts";

/** `action`: what was to be done with it, as in "cannot transform". @throws {CommandError} */
export function refuseOthers(action: string, file: string, bytes: Uint8Array): void {
  const [magic, version] = [bytes.subarray(0, 4), bytes.subarray(4, 8)].map((part) => part.join());
  const because = (reason: string, tip: string): CommandError =>
    new CommandError(`cannot ${action} '${file}': ${reason}`, tip);
  if (magic === "0,97,115,109" && version === "13,0,1,0") {
    throw because("it is a component", `${action} its core modules: 'wasm-tools component unbundle' takes them out`);
  }
  if (bytes[0] === 0x28 || bytes[0] === 0x3b) {
    throw because("it looks like the text format of WebAssembly", "assemble it first, with wat2wasm or wasm-tools");
  }
  if (magic !== "0,97,115,109") throw because("it is no WebAssembly module", "those begin with the bytes 00 61 73 6d");
}
