/** Calls of the other thread that this one serves. */

import { CurrentCall } from "./current-call.ts";

/** On whose behalf code runs. */
export interface ServedCall {
  readonly id: number;
  /** Whose call it is: a `Thread`, or in a thread nothing. */
  readonly caller: object | undefined;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export const servedCall: CurrentCall<ServedCall> = new CurrentCall();

/** A call with that number, whose signal is that of `source`, made when somebody asks for it. */
export function serve(id: number, source: { readonly signal: AbortSignal }, caller?: object): ServedCall {
  return {
    id,
    caller,
    get signal() {
      return source.signal;
    },
  };
}

/**
 * In a function that another thread has called: a host function of `startThread()`, or an exported function of its module or of `toSync()`'s.
 * Aborts when nobody waits for its answer any more. Otherwise `undefined`.
 */
export function callSignal(): AbortSignal | undefined {
  return servedCall.get()?.signal;
}
