/**
 * Links the stack trace of an error that leaves a coroutine to the stack that resumed the coroutine.
 *
 * Up to its first suspension the engine's own traces reach the host; after that they begin at the microtask that continued the
 * coroutine. Taking a trace costs 2 to 4 µs in V8 14.6, many times a resume: it is only done on request.
 */

const frames = /^\s+at .*$|^.*@.*$/gm;

/** The stack of whoever resumes: that of the caller, without the caller itself. */
export function takeBacktrace(): string {
  const lines = new Error("resume").stack?.match(frames) ?? [];
  // The first two are this function and the method of the coroutine.
  return lines.slice(2).join("\n");
}

/**
 * Adds `coroutineStack` to `error`: its own stack, then that of whoever resumed the coroutine; of several coroutines inside each
 * other, all. Whatever cannot have properties is left alone.
 */
export function linkBacktrace(error: unknown, resumer: string): void {
  if (!(error instanceof Error) || !Object.isExtensible(error)) return;
  const inner = (error as { coroutineStack?: string }).coroutineStack ?? error.stack ?? String(error);
  const coroutineStack = `${inner}\n    at the coroutine's resume\n${resumer}`;
  Object.defineProperty(error, "coroutineStack", { value: coroutineStack, configurable: true, writable: true });
}
