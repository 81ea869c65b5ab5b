/** On behalf of which call code runs, also after an `await` where the platform can tell. */

import { makeAsyncContext } from "../platform/async-context.ts";
import type { AsyncContext } from "../platform/async-context.ts";

export class CurrentCall<Call> {
  readonly #context: AsyncContext<Call> | undefined = makeAsyncContext();
  /** Without a context: right until the first `await`. */
  #synchronous: Call | undefined;

  get(): Call | undefined {
    return this.#context === undefined ? this.#synchronous : this.#context.getStore();
  }

  run<Result>(call: Call, body: () => Result): Result {
    if (this.#context !== undefined) return this.#context.run(call, body);
    const outer = this.#synchronous;
    this.#synchronous = call;
    try {
      return body();
    } finally {
      this.#synchronous = outer;
    }
  }
}
