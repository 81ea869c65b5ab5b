/** Guests that were called on behalf of somebody, and where they are: for those who want to know what a program waits for. */

/** One call of a guest that has not ended. */
export interface GuestTrace {
  /** The import that it waits in, as `module.name`; `undefined` while it runs. */
  readonly awaitedImport: string | undefined;
  /** Names of the functions on its stack, the innermost first; empty while it runs, and where the backend cannot see them. */
  readonly frames: readonly string[];
}

/** On whose behalf guests are called. */
export interface GuestOwner {
  guestStarted(guest: GuestTrace): void;
  guestEnded(guest: GuestTrace): void;
}

let findOwner: (() => GuestOwner | undefined) | undefined;
let findSignal: (() => AbortSignal | undefined) | undefined;

/** Has both asked, from now on, whenever a guest is called: on whose behalf, and what ends the calls that they make. */
export function watchGuests(owner: () => GuestOwner | undefined, signal: () => AbortSignal | undefined): void {
  findOwner = owner;
  findSignal = signal;
}

/** What ends a call that is made now and has no signal of its own. Whoever says for whom it is made ends it, too. */
export function callerSignal(): AbortSignal | undefined {
  return nextOwner === undefined ? findSignal?.() : undefined;
}

/** Whoever the next call is made for. */
let nextOwner: GuestOwner | undefined;

/** Has `owner` told of the call that `begin` makes, if that begins at once, instead of those who are found. */
export function withOwner<Result>(owner: GuestOwner, begin: () => Result): Result {
  nextOwner = owner;
  try {
    return begin();
  } finally {
    nextOwner = undefined;
  }
}

/** To be called by a backend, with a call that begins. Whoever it is begun for has to be told when it has ended. */
export function guestStarted(guest: GuestTrace): GuestOwner | undefined {
  const owner = nextOwner ?? findOwner?.();
  nextOwner = undefined;
  owner?.guestStarted(guest);
  return owner;
}

/** Whether anybody wants to be told of a call that begins now. */
export function isGuestWatched(): boolean {
  return findOwner?.() !== undefined;
}
