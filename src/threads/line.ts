/**
 * What connects a thread with the one that has started it: a mailbox in each direction, and a bell for who is in his event loop.
 *
 *                  outgoing ─────────▶ incoming
 *       parent                                     thread
 *                  incoming ◀───────── outgoing
 *                     bell ◀─────────▶ bell
 */

import { Mailbox, makeMailboxMemory } from "./mailbox.ts";
import type { MailboxMemory, ValuePort } from "./mailbox.ts";
import type { ThreadError } from "./thread-end.ts";

/** What is sent to a new thread. */
export interface LineMemory {
  readonly toThread: MailboxMemory;
  readonly toParent: MailboxMemory;
}

export function makeLineMemory(): LineMemory {
  return { toThread: makeMailboxMemory(), toParent: makeMailboxMemory() };
}

/** What a side of a line needs of its platform. */
export interface LineEnd {
  /** For values that the platform has to clone, if it can without an event loop. */
  readonly port?: ValuePort | undefined;
  /** Makes the other thread look into its mailbox, once it comes to its event loop. */
  readonly ring: () => void;
  /** Why this thread, which is blocked, would wait in vain; `undefined`: somebody is at the other end. */
  readonly whyEnded: () => ThreadError | undefined;
}

/** One side of a line. */
export interface Line extends Pick<LineEnd, "whyEnded"> {
  readonly incoming: Mailbox;
  readonly outgoing: Mailbox;
}

export function openLine(memory: LineMemory, side: "parent" | "thread", { port, ring, whyEnded }: LineEnd): Line {
  const [incoming, outgoing] =
    side === "parent" ? [memory.toParent, memory.toThread] : [memory.toThread, memory.toParent];
  return { incoming: new Mailbox(incoming, { port }), outgoing: new Mailbox(outgoing, { port, ring }), whyEnded };
}

/** What messages are. */
export const KIND = {
  /** A call; its value are the arguments. */
  call: 1,
  /** An answer to the call of the same id: what it has returned, or thrown. */
  returned: 2,
  threw: 3,
} as const;
