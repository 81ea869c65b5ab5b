/** What the allocator does with memory that large values have left. */

/** The largest for which glibc changes what it does. Nothing ever touches it, so it takes addresses only. */
const EXAMPLE_BYTES = 31 * 2 ** 20;

let isKept = false;

/**
 * Has glibc keep what is freed, up to some 60 MB, rather than give it back to the system: every block of this size that is freed raises its
 * `M_TRIM_THRESHOLD` to twice as much (mallopt(3)). Without that each value of a megabyte may be written to pages that the system has to find
 * and clear first, which takes two or three times as long as to copy it. It depends on what else lies in the heap, and is worst in a process
 * that does little besides.
 */
export function keepFreedMemory(): void {
  if (isKept) return;
  isKept = true;
  try {
    const example = new ArrayBuffer(EXAMPLE_BYTES) as ArrayBuffer & { transfer?(bytes: number): ArrayBuffer };
    // Frees it at once, where engines can; others do when they collect garbage.
    example.transfer?.(0);
  } catch {
    // There is not so much: it was not needed to go on.
  }
}
