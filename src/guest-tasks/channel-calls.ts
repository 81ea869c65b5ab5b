/** Channels of guests: elements of one size, copied from stack to stack. */

import type { Soon } from "../coroutine/pending.ts";
import { Channel } from "../tasks/channel.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import { GuestChannel, MAX_ELEMENT_BYTES } from "./guest-channel.ts";
import type { GuestCall } from "./guest-call.ts";
import { requireFrom } from "./guest-call.ts";
import { Loan } from "./host-memory.ts";
import { OK, statusOrThrow } from "./status.ts";
import type { Call, World } from "./world.ts";

function checkElement(bytes: number): void {
  if (bytes >>> 0 > MAX_ELEMENT_BYTES) throw new Errno("EMSGSIZE");
}

export const CHANNEL_CALLS: (world: World) => Readonly<Record<string, Call>> = ({ objects, channels, memory }) => ({
  channel_new(_call, capacity, elementBytes) {
    checkElement(elementBytes);
    requireFrom(-1, capacity);
    const kept = capacity < 0 ? Infinity : capacity;
    return objects.add(
      (handle) => new GuestChannel(new Channel({ capacity: kept, name: `${handle}` }), elementBytes, false),
    );
  },

  channel_open(call, name, elementBytes) {
    checkElement(elementBytes);
    const text = call.name(name);
    const channel = Object.hasOwn(channels, text) ? channels[text] : undefined;
    if (channel === undefined) throw new Errno("ENOENT");
    return objects.add(() => new GuestChannel(channel, elementBytes, true));
  },

  channel_send(call, handle, element, limit): Soon<number> {
    const channel = objects.get(handle, GuestChannel);
    // Whoever waits to send has a copy, too.
    const loan = new Loan(memory);
    loan.take(channel.elementBytes);
    const finish = (): number => {
      loan.end();
      channel.note(memory);
      return OK;
    };
    const fail = (error: unknown): number => {
      loan.end();
      return statusOrThrow(error);
    };
    try {
      const sent = channel.channel.sendSoon(channel.read(call.memory, element), call.options);
      return call.answer(sent, finish, { limit, isShared: channel.isShared, fail, onAbandon: () => loan.end() });
    } catch (error) {
      return fail(error);
    }
  },

  channel_receive(call: GuestCall, handle, element, limit): Soon<number> {
    const channel = objects.get(handle, GuestChannel);
    call.memory.require(element, channel.elementBytes);
    const finish = (bytes: Uint8Array): number => {
      channel.note(memory);
      return channel.write(call.memory, element, bytes);
    };
    return call.answer(channel.channel.receiveSoon(call.options), finish, { limit, isShared: channel.isShared });
  },

  channel_length: (_call, handle) => objects.get(handle, GuestChannel).channel.length,

  channel_close(_call, handle) {
    objects.get(handle, GuestChannel).channel.close();
    return OK;
  },
});
