/** The first of several channel operations, for guests. */

import type { Soon } from "../coroutine/pending.ts";
import { ChannelClosedError } from "../tasks/channel.ts";
import { selectSoon } from "../tasks/select.ts";
import type { SelectCase } from "../tasks/select-case.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import type { GuestMemory } from "../wasi/preview1/guest-memory.ts";
import { requireFrom } from "./guest-call.ts";
import { GuestChannel } from "./guest-channel.ts";
import { IS_CLOSED, OK, statusOrThrow } from "./status.ts";
import type { Call, World } from "./world.ts";

/**
 * ```text
 * stackful_case    0 channel   4 send   8 receive   12 status      bytes 16
 * ```
 */
const CASE = { channel: 0, send: 4, receive: 8, status: 12, bytes: 16 } as const;
const MAX_CASES = 1024;

interface GuestCase {
  readonly channel: GuestChannel;
  /** Where what is received goes; 0: it sends. */
  readonly receive: number;
  /** Where the guest is told how it has ended. */
  readonly status: number;
  readonly operation: SelectCase<Uint8Array | void>;
}

function readCase(memory: GuestMemory, pointer: number, { objects }: World): GuestCase {
  const channel = objects.get(memory.u32(pointer + CASE.channel), GuestChannel);
  const send = memory.u32(pointer + CASE.send);
  const receive = memory.u32(pointer + CASE.receive);
  const status = pointer + CASE.status;
  if ((send === 0) === (receive === 0)) throw new Errno("EINVAL");
  memory.require(status, 4);
  if (receive !== 0) memory.require(receive, channel.elementBytes);
  const operation = send === 0 ? channel.channel.receiving() : channel.channel.sending(channel.read(memory, send));
  return { channel, receive, status, operation };
}

/** Which one has ended a select because its channel is closed. */
function closedCase(cases: readonly GuestCase[]): number {
  return cases.findIndex(
    ({ channel: { channel }, receive }) => channel.closed && (receive === 0 || channel.length === 0),
  );
}

/** Tells the guest that case `index` has ended so. */
function end(
  memory: GuestMemory,
  { cases, index }: { readonly cases: readonly GuestCase[]; readonly index: number },
  status: number,
): number {
  memory.setU32(cases[index]!.status, status);
  return index;
}

export const SELECT_CALLS: (world: World) => Readonly<Record<string, Call>> = (world) => ({
  select(call, pointer, count, limit): Soon<number> {
    const { memory } = call;
    requireFrom(1, count);
    if (count > MAX_CASES) throw new Errno("EINVAL");
    const cases = Array.from({ length: count }, (_, index) =>
      readCase(memory, (pointer >>> 0) + index * CASE.bytes, world),
    );
    const operations = Object.fromEntries(cases.map(({ operation }, index) => [index, operation]));
    const finish = ({ key, value }: { readonly key: string; readonly value: Uint8Array | void }): number => {
      const index = Number(key);
      const { channel, receive } = cases[index]!;
      if (value !== undefined) channel.write(memory, receive, value);
      return end(memory, { cases, index }, OK);
    };
    const fail = (error: unknown): number => {
      if (!(error instanceof ChannelClosedError)) return statusOrThrow(error);
      return end(memory, { cases, index: closedCase(cases) }, IS_CLOSED);
    };
    try {
      const isShared = cases.some(({ channel }) => channel.isShared);
      return call.answer(selectSoon(operations, call.options), finish, { limit, isShared, fail });
    } catch (error) {
      return fail(error);
    }
  },
});
