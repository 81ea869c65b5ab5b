/**
 * Keeps a guest from taking more memory than it is given: its copy declares a smaller maximum, and the engine sees to the rest.
 *
 *     (memory 2)  ->  (memory 2 100)        memory.grow beyond it gives -1, as it does when the machine has no more
 *
 * A memory that is imported is somebody else's: with the smaller maximum in its type, the engine only links one whose own maximum is as
 * small.
 */

import { writeMemoryType } from "../binary/extern-types.ts";
import type { ModuleEditor } from "../binary/editor.ts";
import type { BinaryModule, Memory } from "../binary/module.ts";
import { Writer } from "../binary/writer.ts";

/** Binary logarithm of the page size that memories have if they do not say another. */
const PAGE_LOG2 = 16;
/** Pages that a memory with 32-bit addresses, and one with 64-bit addresses, can have at all. */
const MAX_PAGES_32 = 2 ** 16;
const MAX_PAGES_64 = 2 ** 48;

/**
 * Gives each memory of `editor`'s module a maximum of at most `maxBytes`.
 *
 * @returns the module with these limits, for whoever looks at them
 * @throws {RangeError} when a memory is larger from the beginning, or `maxBytes` is not a number from 0
 */
export function limitMemories(module: BinaryModule, editor: ModuleEditor, maxBytes: number): BinaryModule {
  if (!(maxBytes >= 0)) {
    throw new RangeError(`Cannot limit memory: maxMemoryBytes must be a number from 0, received ${String(maxBytes)}`);
  }
  const memories = module.memories.map((memory) => limited(memory, maxBytes));
  for (const [index, memory] of memories.entries()) {
    if (memory === module.memories[index]) continue;
    const writer = new Writer();
    writeMemoryType(writer, memory);
    editor.replaceBy(memory.description, writer.toBytes());
  }
  return { ...module, memories };
}

/** The same object if it has no more as it is. */
function limited(memory: Memory, maxBytes: number): Memory {
  const { minimum, is64 = false, pageSizeLog2 = PAGE_LOG2 } = memory;
  const pageBytes = 2 ** pageSizeLog2;
  const maximum = Math.floor(maxBytes / pageBytes);
  if (minimum > maximum) {
    throw new RangeError(
      `Cannot limit memory: the guest begins with ${minimum * pageBytes} bytes, more than maxMemoryBytes, ${maxBytes}`,
    );
  }
  const most = memory.maximum ?? (is64 ? MAX_PAGES_64 : (MAX_PAGES_32 * 2 ** PAGE_LOG2) / pageBytes);
  return maximum >= most ? memory : { ...memory, maximum };
}
