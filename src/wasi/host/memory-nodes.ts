/** What a file system in memory is made of. Names lead to nodes; a node is there until no name and nobody who has it open is left. */

import type { FileStat, FileType, TimeChange } from "./file-system.ts";
import { HostError } from "./host-error.ts";
import { MemoryBytes } from "./memory-bytes.ts";

/** Nanoseconds since 1970. */
export type Now = () => bigint;

/** What all nodes of one file system share. */
export class MemoryDevice {
  readonly id: bigint;
  readonly now: Now;
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  #usedBytes = 0;
  #entries = 0;
  #lastInode = 0n;
  static #last = 0n;

  constructor(now: Now, { maxBytes, maxEntries }: { readonly maxBytes: number; readonly maxEntries: number }) {
    this.now = now;
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
    this.id = ++MemoryDevice.#last;
  }

  takeInode(): bigint {
    return ++this.#lastInode;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** @throws {HostError} `ENOSPC` */
  take(bytes: number): void {
    if (this.#usedBytes + bytes > this.#maxBytes) throw new HostError("ENOSPC");
    this.#usedBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /** @throws {HostError} `ENOSPC` when there are as many names as there can be */
  addEntry(): void {
    if (this.#entries >= this.#maxEntries) throw new HostError("ENOSPC");
    this.#entries++;
  }

  removeEntry(): void {
    this.#entries--;
  }

  /** Room for so many bytes more, at most that many. */
  available(bytes: number): number {
    return Math.min(bytes, this.#maxBytes - this.#usedBytes);
  }
}

abstract class Node {
  abstract readonly type: FileType;
  abstract readonly size: number;
  readonly device: MemoryDevice;
  readonly inode: bigint;
  /** Names that lead here. */
  links = 0;
  #accessed: bigint;
  #modified: bigint;
  #changed: bigint;

  constructor(device: MemoryDevice) {
    this.device = device;
    this.inode = device.takeInode();
    this.#accessed = device.now();
    this.#modified = this.#accessed;
    this.#changed = this.#accessed;
  }

  stat(): FileStat {
    return {
      type: this.type,
      device: this.device.id,
      inode: this.inode,
      links: BigInt(this.links),
      size: BigInt(this.size),
      accessed: this.#accessed,
      modified: this.#modified,
      changed: this.#changed,
    };
  }

  /** Its content is another now. */
  touch(): void {
    this.#modified = this.device.now();
    this.#changed = this.#modified;
  }

  /** Something else about it is different now. */
  touchStatus(): void {
    this.#changed = this.device.now();
  }

  setTimes({ accessed, modified }: TimeChange): void {
    const now = this.device.now();
    if (accessed !== undefined) this.#accessed = accessed === "now" ? now : accessed;
    if (modified !== undefined) this.#modified = modified === "now" ? now : modified;
    this.#changed = now;
  }
}

export class MemoryFile extends Node {
  readonly type = "file";
  readonly #bytes = new MemoryBytes();
  #openCount = 0;

  constructor(device: MemoryDevice, content: Uint8Array) {
    super(device);
    this.#resize(content.length);
    this.#bytes.write(content, 0);
  }

  get size(): number {
    return this.#bytes.size;
  }

  /** A copy of all its bytes. */
  content(): Uint8Array<ArrayBuffer> {
    return this.#bytes.copy();
  }

  read(buffers: readonly Uint8Array[], position: number): number {
    let read = 0;
    for (const buffer of buffers) {
      const bytes = this.#bytes.read(buffer, position + read);
      read += bytes;
      if (bytes < buffer.length) break;
    }
    return read;
  }

  /** Writes as much as there is room for. @throws {HostError} `ENOSPC` when that is nothing */
  write(buffers: readonly Uint8Array[], position: number): number {
    const wanted = buffers.reduce((sum, { length }) => sum + length, 0);
    if (wanted === 0) return 0;
    const growth = Math.max(position + wanted - this.size, 0);
    const end = position + wanted - (growth - this.device.available(growth));
    if (end <= position) throw new HostError("ENOSPC");
    if (end > this.size) this.#resize(end);
    let written = 0;
    for (const buffer of buffers) {
      const part = buffer.subarray(0, end - position - written);
      this.#bytes.write(part, position + written);
      written += part.length;
    }
    this.touch();
    return written;
  }

  setSize(bytes: number): void {
    this.#resize(bytes);
    this.touch();
  }

  #resize(size: number): void {
    const growth = size - this.size;
    if (growth > 0) this.device.take(growth);
    else this.device.giveBack(-growth);
    this.#bytes.resize(size);
  }

  opened(): void {
    this.#openCount++;
  }

  closed(): void {
    this.#openCount--;
    this.#release();
  }

  /** A name of it is gone. */
  unlinked(): void {
    this.links--;
    this.touchStatus();
    this.#release();
  }

  #release(): void {
    if (this.links === 0 && this.#openCount === 0) this.#resize(0);
  }
}

export class MemoryLink extends Node {
  readonly type = "symbolic-link";
  readonly target: string;
  readonly size: number;

  constructor(device: MemoryDevice, target: string) {
    super(device);
    this.target = target;
    this.size = new TextEncoder().encode(target).length;
  }

  unlinked(): void {
    this.links--;
    this.touchStatus();
    if (this.links === 0) this.device.giveBack(this.size);
  }
}

export type MemoryNode = MemoryFile | MemoryLink | MemoryFolder;

/** POSIX: `NAME_MAX`, in bytes. */
const MAX_NAME_BYTES = 255;

export class MemoryFolder extends Node {
  readonly type = "directory";
  readonly #entries = new Map<string, MemoryNode>();
  /** Where it lies; `undefined`: nowhere any more, or it is the root. */
  #parent: MemoryFolder | undefined;
  #isRemoved = false;

  constructor(device: MemoryDevice) {
    super(device);
    this.links = 2; // its name, and its own `.`
  }

  get size(): number {
    return 0;
  }

  get entries(): ReadonlyMap<string, MemoryNode> {
    return this.#entries;
  }

  find(name: string): MemoryNode | undefined {
    if (name.length > MAX_NAME_BYTES / 4 && new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
      throw new HostError("ENAMETOOLONG");
    }
    return this.#entries.get(name);
  }

  /** @throws {HostError} `ENOENT` */
  get(name: string): MemoryNode {
    const node = this.find(name);
    if (node === undefined) throw new HostError("ENOENT");
    return node;
  }

  /** @throws {HostError} `EEXIST`, `ENOSPC`, and `ENOENT` when the directory itself was removed */
  add(name: string, node: MemoryNode): void {
    if (this.find(name) !== undefined) throw new HostError("EEXIST");
    if (this.#isRemoved) throw new HostError("ENOENT");
    this.device.addEntry();
    this.#entries.set(name, node);
    this.touch();
    if (!(node instanceof MemoryFolder)) {
      node.links++;
      node.touchStatus();
      return;
    }
    node.#parent = this;
    this.links++; // its `..`
  }

  /** A symbolic link. What it says takes room, as the content of a file does. */
  addLink(name: string, target: string): void {
    const link = new MemoryLink(this.device, target);
    this.device.take(link.size);
    try {
      this.add(name, link);
    } catch (error) {
      this.device.giveBack(link.size);
      throw error;
    }
  }

  #forget(name: string): void {
    this.#entries.delete(name);
    this.device.removeEntry();
    this.touch();
  }

  /** Takes the name away, and leaves what it led to as it is. */
  #take(name: string): MemoryNode {
    const node = this.get(name);
    this.#forget(name);
    if (node instanceof MemoryFolder) {
      node.#parent = undefined;
      this.links--;
    } else {
      node.links--;
    }
    return node;
  }

  removeFile(name: string): void {
    const node = this.get(name);
    if (node instanceof MemoryFolder) throw new HostError("EISDIR");
    this.#forget(name);
    node.unlinked();
  }

  removeFolder(name: string): void {
    const node = this.get(name);
    if (!(node instanceof MemoryFolder)) throw new HostError("ENOTDIR");
    if (node.#entries.size > 0) throw new HostError("ENOTEMPTY");
    this.#take(name);
    node.links = 0;
    node.#isRemoved = true;
  }

  /** As POSIX has it: replaces a file by a file and an empty directory by a directory. */
  rename(name: string, folder: MemoryFolder, newName: string): void {
    const node = this.get(name);
    const replaced = folder.find(newName);
    if (replaced === node) return;
    if (node instanceof MemoryFolder && node.#isAbove(folder)) throw new HostError("EINVAL");
    if (folder.#isRemoved) throw new HostError("ENOENT");
    if (replaced instanceof MemoryFolder) {
      if (!(node instanceof MemoryFolder)) throw new HostError("EISDIR");
      folder.removeFolder(newName);
    } else if (replaced !== undefined) {
      if (node instanceof MemoryFolder) throw new HostError("ENOTDIR");
      folder.removeFile(newName);
    }
    folder.add(newName, this.#take(name));
  }

  #isAbove(folder: MemoryFolder): boolean {
    for (let at: MemoryFolder | undefined = folder; at !== undefined; at = at.#parent) if (at === this) return true;
    return false;
  }
}
