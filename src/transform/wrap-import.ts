/** What a guest imports of a host function that may suspend it. */

export type HostFunction = (...parameters: readonly unknown[]) => unknown;

/** An import that may suspend. */
export interface WrappedImport {
  readonly module: string;
  readonly name: string;
  readonly paramCount: number;
}

/** `suspend` suspends the running stack with a value; what it returns or throws has to be returned or thrown to the guest. */
export type WrapImport = (
  host: HostFunction,
  entry: WrappedImport,
  suspend: (value: unknown) => unknown,
) => HostFunction;

/** What a host function returns to suspend. */
export class Suspending {
  value: unknown;
}

/** For host functions that return `suspending` to suspend, with its value. */
export function wrapsSuspending(suspending: Suspending): WrapImport {
  return (host, { paramCount }, suspend) => {
    const settle = (result: unknown): unknown => (result === suspending ? suspend(suspending.value) : result);
    // As many parameters as the guest gives: engines call such a function faster than one that collects them.
    switch (paramCount) {
      case 0:
        return () => settle(host());
      case 1:
        return (a) => settle(host(a));
      case 2:
        return (a, b) => settle(host(a, b));
      default:
        return (...all) => settle(host(...all));
    }
  };
}
