/** The platform's asynchronous context (`AsyncLocalStorage` in Node, Deno, Bun and workerd), where there is one. */

/** What this library uses of an `AsyncLocalStorage`. */
export interface AsyncContext<Value> {
  run<Result>(store: Value, body: () => Result): Result;
  getStore(): Value | undefined;
}

/** Calls a function in a context of earlier, with these arguments. */
export type InAsyncContext = <Args extends readonly unknown[]>(body: (...args: Args) => unknown, ...args: Args) => void;

interface AsyncLocalStorageClass {
  new <Value>(): AsyncContext<Value>;
  snapshot?(): InAsyncContext;
}

/** Without an import: this library also runs where there is no `node:async_hooks`. `getBuiltinModule` exists from Node 20.16. */
function findAsyncLocalStorage(): AsyncLocalStorageClass | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => { AsyncLocalStorage?: AsyncLocalStorageClass } | undefined };
  };
  return process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage;
}

const AsyncLocalStorage = findAsyncLocalStorage();

/** A context of our own; `undefined` where the platform has none. */
export function makeAsyncContext<Value>(): AsyncContext<Value> | undefined {
  return AsyncLocalStorage && new AsyncLocalStorage<Value>();
}

/** Runs what it is given in the context of now, later. */
export function captureAsyncContext(): InAsyncContext {
  const snapshot = AsyncLocalStorage?.snapshot?.();
  return snapshot ?? ((body, ...args) => void body(...args));
}
