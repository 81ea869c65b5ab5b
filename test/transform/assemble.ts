/** WebAssembly text → bytes, with every feature that wabt knows. */
import wabt from "wabt";

const ready = wabt();

export async function assemble(text: string): Promise<Uint8Array> {
  const assembler = await ready;
  const module = assembler.parseWat("test.wat", text, {
    exceptions: true,
    multi_memory: true,
    memory64: true,
    extended_const: true,
    relaxed_simd: true,
    tail_call: true,
    threads: true,
    function_references: true,
    gc: true,
  } as never);
  try {
    return module.toBinary({ write_debug_names: true }).buffer;
  } finally {
    module.destroy();
  }
}
