/** What is not copied into another thread but moved there. */

let transferred: WeakMap<object, readonly Transferable[]> | undefined;

/**
 * Marks what is moved with a value rather than cloned: bytes without being copied, ports and streams, which cannot be cloned at all. This
 * thread does not have it any more then. In pages, bytes are copied and taken away, and nothing else can be moved, into a thread that is blocked.
 *
 * @example
 *     await thread.exports.draw(transfer(bytes, [bytes.buffer]), 3); // an argument; what a function returns may be marked as well
 *
 * @param value an argument or an answer itself, not what is somewhere in it. It counts for the next call or answer that has it, also if that
 *   fails
 * @param objects what the platform can transfer, as for `structuredClone()`
 * @returns `value`
 */
export function transfer<Value extends object>(value: Value, objects: readonly Transferable[]): Value {
  transferred ??= new WeakMap();
  transferred.set(value, [...objects]);
  return value;
}

/** What to move with a value, or with the elements of a list of arguments, this time; nothing twice. */
export function takeTransfers(value: unknown, isList: boolean): readonly Transferable[] {
  if (transferred === undefined) return NOTHING;
  const all = isList ? (value as readonly unknown[]).flatMap(takeOf) : takeOf(value); // what `isList` says
  return [...new Set(all)];
}

const NOTHING: readonly Transferable[] = [];

function takeOf(value: unknown): readonly Transferable[] {
  if (typeof value !== "object" || value === null) return NOTHING;
  const objects = transferred?.get(value) ?? NOTHING;
  transferred?.delete(value);
  return objects;
}

/** @throws a `DataCloneError` where Node 20 would send what the other thread cannot read */
export function requireAttached(objects: readonly Transferable[]): void {
  for (const object of objects) {
    if (!(object instanceof ArrayBuffer)) continue;
    try {
      // What is detached has no views.
      new Uint8Array(object).fill(0, 0, 0);
    } catch (cause) {
      throw Object.assign(new DOMException("a buffer that is to be moved is detached", "DataCloneError"), { cause });
    }
  }
}

/** For threads that are given copies: whether that is as good as to move these. */
export function areBytes(objects: readonly Transferable[]): boolean {
  return objects.every((object) => object instanceof ArrayBuffer);
}

/** Takes bytes away from this thread, which has copied them. */
export function detach(objects: readonly Transferable[]): void {
  for (const object of objects) structuredClone(object, { transfer: [object] });
}
