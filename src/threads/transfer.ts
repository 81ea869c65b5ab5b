/** What is not copied into another thread but moved there. */

let transferred: WeakMap<object, readonly Transferable[]> | undefined;

/**
 * Marks what is moved with a value rather than cloned: bytes without being copied, ports and streams, which cannot be cloned at all. This
 * thread does not have it any more then. In pages, bytes are copied and taken away, and nothing else can be moved, into a thread that is blocked.
 *
 * @example
 *     await thread.exports.draw(transfer(bytes, [bytes.buffer]), 3); // an argument; what a function returns may be marked as well
 *
 * @param value an argument or an answer itself, not what is somewhere in it. It counts for the next time that it is sent
 * @param objects what the platform can transfer, as for `structuredClone()`
 * @returns `value`
 */
export function transfer<Value extends object>(value: Value, objects: readonly Transferable[]): Value {
  transferred ??= new WeakMap();
  transferred.set(value, [...objects]);
  return value;
}

/** What to move with a value, or with the elements of a list of arguments, this time. */
export function takeTransfers(value: unknown): readonly Transferable[] {
  if (transferred === undefined) return NOTHING;
  const all = takeOf(value);
  if (Array.isArray(value)) for (const element of value) all.push(...takeOf(element));
  return all;
}

const NOTHING: readonly Transferable[] = [];

function takeOf(value: unknown): Transferable[] {
  if (typeof value !== "object" || value === null) return [];
  const objects = transferred?.get(value) ?? NOTHING;
  transferred?.delete(value);
  return [...objects];
}

/** For platforms that have copied it: takes it away from this thread. */
export function detach(objects: readonly Transferable[]): void {
  for (const object of objects) structuredClone(object, { transfer: [object] });
}
