/**
 * Makes a guest whose threads wait by suspending: WebAssembly in, WebAssembly out.
 *
 *     memory.atomic.wait32 offset=8   ->   call $wait32_8
 *
 * Each `memory.atomic.wait32`, `wait64` and `notify` of a shared memory becomes a call of a function that is added
 * (waiting-functions.ts), which calls the host. In a memory that is not shared, waiting traps and nobody can be woken: those stay.
 */

import type { Edit } from "../binary/branch-hints.ts";
import { InstructionReader } from "../binary/instructions.ts";
import type { BinaryModule } from "../binary/module.ts";
import { opcode } from "../binary/opcodes.ts";
import { RenumberingEditor } from "../binary/renumbering-editor.ts";
import { Writer } from "../binary/writer.ts";
import { ATOMICS_MODULE, WAIT_NAME, WAIT_TYPE, WAKE_NAME, WAKE_TYPE, WaitingFunctions } from "./waiting-functions.ts";
import type { WaitingInstruction } from "./waiting-functions.ts";

const INSTRUCTIONS: ReadonlyMap<number, WaitingInstruction> = new Map([
  [opcode("memory.atomic.notify"), "notify"],
  [opcode("memory.atomic.wait32"), "wait32"],
  [opcode("memory.atomic.wait64"), "wait64"],
]);

const CALL = opcode("call");
/** In the alignment of a memory access: the index of the memory follows. */
const HAS_MEMORY_INDEX = 0x40;

/** Name by which such a guest exports its shared memory of that number. */
export function sharedMemoryName(sharedIndex: number): string {
  return `stackful:shared-memory-${sharedIndex}`;
}

/** Whether a guest waits in, or wakes those who wait in, a memory that may be shared. */
export function hasWaits(module: BinaryModule): boolean {
  if (!module.memories.some(({ shared }) => shared === true)) return false;
  const reader = new InstructionReader(module.bytes);
  for (let body = 0; body < module.bodies.length; body += 2) {
    reader.enterBody(module.bodies[body]!, module.bodies[body + 1]!);
    while (reader.next()) {
      if (INSTRUCTIONS.has(reader.opcode) && module.memories[memoryOf(reader)]?.shared === true) return true;
    }
  }
  return false;
}

/**
 * The guest with its waits replaced. It imports two functions more than `module`, see waiting-functions.ts, exports its shared memories,
 * and its functions have indices that are two higher.
 *
 * @throws {TypeError} when the module uses the name of the added imports itself
 * @throws {WebAssembly.CompileError} when its code cannot be read
 */
export function suspendWaits(module: BinaryModule): Uint8Array<ArrayBuffer> {
  if (module.imports.some((entry) => entry.module === ATOMICS_MODULE)) {
    throw new TypeError(
      `Cannot let guest wait: it has imports of the module "${ATOMICS_MODULE}", a name that is reserved`,
    );
  }
  return new WaitsEditor(module).build();
}

class WaitsEditor extends RenumberingEditor {
  readonly #functions: WaitingFunctions;
  /** Index of a shared memory → its number among them. */
  readonly #shared: ReadonlyMap<number, number>;

  constructor(module: BinaryModule) {
    super(module, [
      { module: ATOMICS_MODULE, name: WAIT_NAME, type: WAIT_TYPE },
      { module: ATOMICS_MODULE, name: WAKE_NAME, type: WAKE_TYPE },
    ]);
    const shared = [...module.memories.keys()].filter((index) => module.memories[index]!.shared === true);
    this.#shared = new Map(shared.map((index, position) => [index, position]));
    for (const [index, position] of this.#shared) this.export(sharedMemoryName(position), "memory", index);
    this.#functions = new WaitingFunctions(this);
    this.rewriteCode((reader) => this.#editOf(reader));
  }

  #editOf(reader: InstructionReader): Edit | undefined {
    const instruction = INSTRUCTIONS.get(reader.opcode);
    const sharedIndex = instruction === undefined ? undefined : this.#shared.get(memoryOf(reader));
    if (instruction === undefined || sharedIndex === undefined) return undefined;
    return this.#replaceBy(reader, instruction, sharedIndex);
  }

  #replaceBy(reader: InstructionReader, instruction: WaitingInstruction, sharedIndex: number): Edit {
    const { start, position: end } = reader;
    const memory = memoryOf(reader);
    const place = {
      memory,
      sharedIndex,
      offset: offsetOf(reader),
      is64: this.module.memories[memory]!.is64 === true,
    };
    const writer = new Writer(8);
    writer.u8(CALL);
    writer.u32(this.#functions.for(instruction, place));
    return { start, end, bytes: writer.toBytes() };
  }
}

/** The memory that the current instruction of a reader, an access, is about. */
function memoryOf(reader: InstructionReader): number {
  return atMemoryArgument(reader, () => {
    const alignment = reader.u32();
    return (alignment & HAS_MEMORY_INDEX) === 0 ? 0 : reader.u32();
  });
}

function offsetOf(reader: InstructionReader): bigint {
  return atMemoryArgument(reader, () => {
    if ((reader.u32() & HAS_MEMORY_INDEX) !== 0) reader.u32();
    return reader.u64();
  });
}

/** The reader stays where it is. */
function atMemoryArgument<Result>(reader: InstructionReader, read: () => Result): Result {
  const next = reader.position;
  reader.position = reader.immediates;
  try {
    return read();
  } finally {
    reader.position = next;
  }
}
