/** The part of the JavaScript API that TypeScript's library does not know yet (WebAssembly/js-promise-integration). */

interface PromiseIntegration {
  /** Makes an import that suspends its caller until the promise that `body` returns has settled. */
  readonly Suspending?: new (body: Function) => object;
  /** Makes a function that runs `entry` on a stack of its own and returns a promise of its result. */
  readonly promising?: (entry: Function) => (...args: unknown[]) => Promise<unknown>;
}

const engine = WebAssembly as PromiseIntegration;

export const Suspending: PromiseIntegration["Suspending"] = engine.Suspending;
export const promising: PromiseIntegration["promising"] = engine.promising;
