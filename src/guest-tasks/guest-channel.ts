/** A channel as a guest has it: with the size of its elements. */

import type { Channel } from "../tasks/channel.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import type { GuestMemory } from "../wasi/preview1/guest-memory.ts";
import type { HostMemory } from "./host-memory.ts";
import { OK } from "./status.ts";

/** 1 MiB: what is larger is better sent as a pointer to it. */
export const MAX_ELEMENT_BYTES: number = 2 ** 20;

export class GuestChannel {
  readonly channel: Channel<Uint8Array>;
  readonly elementBytes: number;
  /** Whether somebody outside of the program may use it, too. */
  readonly isShared: boolean;
  #keptBytes = 0;

  constructor(channel: Channel<Uint8Array>, elementBytes: number, isShared: boolean) {
    this.channel = channel;
    this.elementBytes = elementBytes;
    this.isShared = isShared;
  }

  /** Notes what it keeps now. What somebody outside has made is theirs, with all that is in it. */
  note(memory: HostMemory): void {
    if (this.isShared) return;
    const bytes = this.channel.length * this.elementBytes;
    memory.add(bytes - this.#keptBytes);
    this.#keptBytes = bytes;
  }

  /** The guest does not have it any more: what is in it nobody can receive, unless somebody outside has it, too. */
  drop(memory: HostMemory): void {
    if (!this.isShared) this.channel.close();
    memory.add(-this.#keptBytes);
    this.#keptBytes = 0;
  }

  /** A copy of the element at `pointer`. */
  read(memory: GuestMemory, pointer: number): Uint8Array {
    return memory.copy(pointer, this.elementBytes);
  }

  /** Copies an element to `pointer`. What somebody outside has sent may be of another size. */
  write(memory: GuestMemory, pointer: number, bytes: Uint8Array): number {
    if (bytes.length !== this.elementBytes) throw new Errno("EMSGSIZE");
    memory.setBytes(pointer, bytes);
    return OK;
  }
}
