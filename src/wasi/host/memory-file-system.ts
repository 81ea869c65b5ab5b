/** A file system in memory. */

import { systemClock } from "./clock.ts";
import type { Clock } from "./clock.ts";
import type { Directory, DirectoryEntry, FileStat, OpenFile, OpenOptions, TimeChange } from "./file-system.ts";
import { HostError } from "./host-error.ts";
import { MemoryDevice, MemoryFile, MemoryFolder, MemoryLink } from "./memory-nodes.ts";
import type { MemoryNode } from "./memory-nodes.ts";

/** A symbolic link in a {@link MemoryTree}. */
export class SymbolicLink {
  readonly target: string;

  constructor(target: string) {
    this.target = target;
  }
}

/** Files, directories and symbolic links by their names; the content of a file as bytes, or as text that becomes UTF-8. */
export interface MemoryTree {
  readonly [name: string]: string | Uint8Array | SymbolicLink | MemoryTree;
}

export interface MemoryFileSystemOptions {
  /** Bytes that all files together, and the texts of symbolic links, may have before there is no space left; 1 GiB when left out. */
  readonly maxBytes?: number | undefined;
  /** Names of files, directories and links that there may be altogether before there is no space left; 100,000 when left out. */
  readonly maxEntries?: number | undefined;
  /** Where the times of files come from. */
  readonly clock?: Pick<Clock, "realtime"> | undefined;
}

const DEFAULT_MAX_BYTES = 2 ** 30;
/** An empty file takes room, too. */
const DEFAULT_MAX_ENTRIES = 100_000;

/**
 * A file system that is there as long as this object.
 *
 * ```ts
 * import { MemoryFileSystem, WASI } from "stackful/wasi";
 *
 * const files = new MemoryFileSystem({ "greeting.txt": "hello", data: { "1.bin": new Uint8Array(8) } });
 * const wasi = new WASI({ preopens: { "/": files.root } });
 * files.text("greeting.txt"); // "hello", or what the program has made of it
 * ```
 */
export class MemoryFileSystem {
  readonly #root: MemoryFolder;
  /** To be given to programs, to several of them if you like. */
  readonly root: Directory;

  /**
   * @throws {TypeError} when the tree has a name that no file can have
   * @throws {HostError} `ENOSPC` when it is larger than it may be
   */
  constructor(tree: MemoryTree = {}, options: MemoryFileSystemOptions = {}) {
    const { maxBytes = DEFAULT_MAX_BYTES, maxEntries = DEFAULT_MAX_ENTRIES, clock = systemClock } = options;
    this.#root = new MemoryFolder(new MemoryDevice(() => clock.realtime(), { maxBytes, maxEntries }));
    fill(this.#root, tree);
    this.root = new MemoryDirectory(this.#root);
  }

  /** Bytes of all files and of the texts of symbolic links. */
  get usedBytes(): number {
    return this.#root.device.usedBytes;
  }

  /** Everything that is in it now, as copies. */
  tree(): MemoryTree {
    return treeOf(this.#root);
  }

  /** A copy of a file. @throws {HostError} `ENOENT`, `ENOTDIR`, `EISDIR` */
  bytes(path: string): Uint8Array<ArrayBuffer> {
    const node = this.#find(path);
    if (!(node instanceof MemoryFile)) throw new HostError("EISDIR", `Cannot read ${path}: it is no file`);
    return node.content();
  }

  /** A file's text; what is no UTF-8 in it becomes replacement characters. */
  text(path: string): string {
    return new TextDecoder().decode(this.bytes(path));
  }

  /** Makes a file, or gives it other content, all of it or none. Its directory has to be there. @throws {HostError} */
  write(path: string, content: string | Uint8Array): void {
    const names = namesOf(path);
    const name = names.pop();
    const folder = this.#find(names.join("/"));
    if (name === undefined) throw new HostError("EISDIR", `Cannot write ${path}: it is a directory`);
    if (!(folder instanceof MemoryFolder))
      throw new HostError("ENOTDIR", `Cannot write ${path}: its directory is none`);
    const found = folder.find(name);
    const bytes = bytesOf(content);
    if (found === undefined) {
      addFile(folder, name, bytes);
      return;
    }
    if (!(found instanceof MemoryFile)) throw new HostError("EISDIR", `Cannot write ${path}: it is no file`);
    // Throws when there is no room for all of it: write() takes what there is room for.
    found.setSize(bytes.length);
    found.write([bytes], 0);
  }

  /** Without following symbolic links. */
  #find(path: string): MemoryNode {
    let node: MemoryNode = this.#root;
    for (const name of namesOf(path)) {
      if (!(node instanceof MemoryFolder))
        throw new HostError("ENOTDIR", `Cannot find ${path}: it leads through a file`);
      const next: MemoryNode | undefined = node.find(name);
      if (next === undefined) throw new HostError("ENOENT", `Cannot find ${path}: there is no ${name}`);
      node = next;
    }
    return node;
  }
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

/** Trees are walked without recursion: guests make directories inside each other as deep as they like. */
function fill(root: MemoryFolder, tree: MemoryTree): void {
  const rest: [MemoryFolder, MemoryTree][] = [[root, tree]];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const [folder, contents] = next;
    for (const [name, content] of Object.entries(contents)) {
      requireName(name);
      const inner = add(folder, name, content);
      if (inner !== undefined) rest.push(inner);
    }
  }
}

function requireName(name: string): void {
  if (name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name)) return;
  throw new TypeError(`Cannot make a file system: "${name}" is no name of a file`);
}

/** @returns a folder with what is to be put into it, if it is one */
function add(folder: MemoryFolder, name: string, content: MemoryTree[string]): [MemoryFolder, MemoryTree] | undefined {
  if (content instanceof SymbolicLink) {
    folder.addLink(name, content.target);
  } else if (typeof content === "string" || content instanceof Uint8Array) {
    addFile(folder, name, bytesOf(content));
  } else {
    const inner = new MemoryFolder(folder.device);
    folder.add(name, inner);
    return [inner, content];
  }
  return undefined;
}

function addFile(folder: MemoryFolder, name: string, bytes: Uint8Array): void {
  const file = new MemoryFile(folder.device, bytes);
  try {
    folder.add(name, file);
  } catch (error) {
    file.setSize(0);
    throw error;
  }
}

function treeOf(root: MemoryFolder): MemoryTree {
  const tree: Record<string, MemoryTree[string]> = {};
  const rest: [MemoryFolder, typeof tree][] = [[root, tree]];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const [folder, contents] = next;
    for (const [name, node] of folder.entries) {
      const inner: typeof tree = {};
      if (node instanceof MemoryFolder) rest.push([node, inner]);
      const value = node instanceof MemoryFolder ? inner : contentOf(node);
      // An assignment would set the prototype where a file is called `__proto__`.
      Object.defineProperty(contents, name, { value, writable: true, enumerable: true, configurable: true });
    }
  }
  return tree;
}

function contentOf(node: MemoryFile | MemoryLink): MemoryTree[string] {
  return node instanceof MemoryLink ? new SymbolicLink(node.target) : node.content();
}

class MemoryOpenFile implements OpenFile {
  readonly kind = "file";
  readonly answersAtOnce = true;
  readonly #file: MemoryFile;
  #isClosed = false;

  constructor(file: MemoryFile) {
    this.#file = file;
    file.opened();
  }

  read(buffers: readonly Uint8Array[], position: number): number {
    return this.#file.read(buffers, position);
  }

  write(buffers: readonly Uint8Array[], position: number): number {
    return this.#file.write(buffers, position);
  }

  append(buffers: readonly Uint8Array[]): number {
    return this.#file.write(buffers, this.#file.size);
  }

  stat(): FileStat {
    return this.#file.stat();
  }

  setSize(bytes: number): void {
    this.#file.setSize(bytes);
  }

  setTimes(times: TimeChange): void {
    this.#file.setTimes(times);
  }

  sync(): void {}

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.closed();
  }
}

/** Knows nothing but its folder, so that opening and closing it costs nothing. */
class MemoryDirectory implements Directory {
  readonly kind = "directory";
  readonly #folder: MemoryFolder;

  constructor(folder: MemoryFolder) {
    this.#folder = folder;
  }

  open(name: string, options: OpenOptions): OpenFile | Directory {
    const found = this.#folder.find(name);
    if (found !== undefined) return openNode(found, options);
    if (!options.create || options.directory) throw new HostError("ENOENT");
    const file = new MemoryFile(this.#folder.device, new Uint8Array(0));
    this.#folder.add(name, file);
    return new MemoryOpenFile(file);
  }

  statEntry(name: string): FileStat {
    return this.#folder.get(name).stat();
  }

  setEntryTimes(name: string, times: TimeChange): void {
    this.#folder.get(name).setTimes(times);
  }

  readLink(name: string): string {
    const node = this.#folder.get(name);
    if (!(node instanceof MemoryLink)) throw new HostError("EINVAL");
    return node.target;
  }

  makeLink(name: string, target: string): void {
    this.#folder.addLink(name, target);
  }

  makeDirectory(name: string): void {
    this.#folder.add(name, new MemoryFolder(this.#folder.device));
  }

  removeDirectory(name: string): void {
    this.#folder.removeFolder(name);
  }

  removeFile(name: string): void {
    this.#folder.removeFile(name);
  }

  addName(name: string, directory: Directory, newName: string): void {
    const target = this.#sameDevice(directory);
    const node = this.#folder.get(name);
    if (target.find(newName) !== undefined) throw new HostError("EEXIST");
    if (node instanceof MemoryFolder) throw new HostError("EPERM");
    target.add(newName, node);
  }

  rename(name: string, directory: Directory, newName: string): void {
    this.#folder.rename(name, this.#sameDevice(directory), newName);
  }

  #sameDevice(directory: Directory): MemoryFolder {
    if (!(directory instanceof MemoryDirectory)) throw new HostError("EXDEV");
    if (directory.#folder.device !== this.#folder.device) throw new HostError("EXDEV");
    return directory.#folder;
  }

  entries(): readonly DirectoryEntry[] {
    return Array.from(this.#folder.entries, ([name, { type, inode }]) => ({ name, type, inode }));
  }

  stat(): FileStat {
    return this.#folder.stat();
  }

  setTimes(times: TimeChange): void {
    this.#folder.setTimes(times);
  }

  sync(): void {}

  reopen(): Directory {
    return this;
  }

  close(): void {}
}

function openNode(node: MemoryNode, options: OpenOptions): OpenFile | Directory {
  if (options.create && options.exclusive) throw new HostError("EEXIST");
  if (node instanceof MemoryLink) throw new HostError("ELOOP");
  if (node instanceof MemoryFolder) {
    if (options.write || options.truncate || options.create) throw new HostError("EISDIR");
    return new MemoryDirectory(node);
  }
  if (options.directory) throw new HostError("ENOTDIR");
  if (options.truncate) node.setSize(0);
  return new MemoryOpenFile(node);
}
