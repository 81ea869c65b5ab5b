/** The first of several channel operations, for guests. */

import type { Soon } from "../coroutine/pending.ts";
import { ChannelClosedError } from "../tasks/channel.ts";
import { selectSoon } from "../tasks/select.ts";
import type { SelectCase } from "../tasks/select-case.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import type { GuestMemory } from "../wasi/preview1/guest-memory.ts";
import { requireFrom } from "./guest-call.ts";
import type { GuestCall } from "./guest-call.ts";
import { GuestChannel } from "./guest-channel.ts";
import { Loan } from "./host-memory.ts";
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

/** Of what it sends it takes a copy, which is lent to it. */
function readCase({ memory }: GuestCall, pointer: number, { objects }: World, loan: Loan): GuestCase {
  const channel = objects.get(memory.u32(pointer + CASE.channel), GuestChannel);
  const send = memory.u32(pointer + CASE.send);
  const receive = memory.u32(pointer + CASE.receive);
  const status = pointer + CASE.status;
  if ((send === 0) === (receive === 0)) throw new Errno("EINVAL");
  memory.require(status, 4);
  if (receive !== 0) memory.require(receive, channel.elementBytes);
  if (send !== 0) loan.take(channel.elementBytes);
  const operation = send === 0 ? channel.channel.receiving() : channel.channel.sending(channel.read(memory, send));
  return { channel, receive, status, operation };
}

/** Which one has ended a select because its channel is closed. */
function closedCase(cases: readonly GuestCase[]): number {
  return cases.findIndex(
    ({ channel: { channel }, receive }) => channel.closed && (receive === 0 || channel.length === 0),
  );
}

/** All of them, and what a wait for them is to do. */
class GuestSelect {
  readonly #memory: GuestMemory;
  readonly #world: World;
  readonly #cases: readonly GuestCase[];
  readonly #loan: Loan;

  /** @throws {Errno} when one of them is none */
  constructor(call: GuestCall, places: readonly number[], world: World) {
    this.#memory = call.memory;
    this.#world = world;
    this.#loan = new Loan(world.memory);
    try {
      this.#cases = places.map((pointer) => readCase(call, pointer, world, this.#loan));
    } catch (error) {
      this.#loan.end();
      throw error;
    }
  }

  begin(call: GuestCall, limit: number): Soon<number> {
    const operations = Object.fromEntries(this.#cases.map(({ operation }, index) => [index, operation]));
    const isShared = this.#cases.some(({ channel }) => channel.isShared);
    const fail = (error: unknown): number => this.#fail(error);
    try {
      return call.answer(selectSoon(operations, call.options), ({ key, value }) => this.#finish(Number(key), value), {
        limit,
        isShared,
        fail,
        onAbandon: () => this.#loan.end(),
      });
    } catch (error) {
      return fail(error);
    }
  }

  #finish(index: number, value: Uint8Array | void): number {
    this.#loan.end();
    const { channel, receive } = this.#cases[index]!;
    channel.note(this.#world.memory);
    if (value !== undefined) channel.write(this.#memory, receive, value);
    return this.#end(index, OK);
  }

  #fail(error: unknown): number {
    this.#loan.end();
    if (!(error instanceof ChannelClosedError)) return statusOrThrow(error);
    return this.#end(closedCase(this.#cases), IS_CLOSED);
  }

  /** Tells the guest that case `index` has ended so. */
  #end(index: number, status: number): number {
    this.#memory.setU32(this.#cases[index]!.status, status);
    return index;
  }
}

export const SELECT_CALLS: (world: World) => Readonly<Record<string, Call>> = (world) => ({
  select(call, pointer, count, limit): Soon<number> {
    requireFrom(1, count);
    if (count > MAX_CASES) throw new Errno("EINVAL");
    const places = Array.from({ length: count }, (_, index) => (pointer >>> 0) + index * CASE.bytes);
    return new GuestSelect(call, places, world).begin(call, limit);
  },
});
