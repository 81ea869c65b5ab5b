/** Subscriptions and events of `poll_oneoff`, for tests. */

import { EVENT, EVENT_TYPE, SUBSCRIPTION } from "#src/wasi/preview1/layout";
import { errnoName } from "#src/wasi/preview1/errno";
import type { GuestCalls } from "./guest-calls.ts";

export type TestSubscription =
  | { readonly clock: number; readonly timeout: bigint; readonly flags?: number }
  | { readonly read: number }
  | { readonly write: number };

export interface TestEvent {
  /** Which of the subscriptions it is of. */
  readonly index: number;
  readonly type: "clock" | "read" | "write";
  readonly error: string;
  readonly bytes: bigint;
  readonly isHangup: boolean;
}

export const INPUT = 4096;
export const OUTPUT = 32_768;
export const COUNT = 65_000;

const TYPES = ["clock", "read", "write"] as const;

export function subscribe({ view }: GuestCalls, subscriptions: readonly TestSubscription[], at: number = INPUT): void {
  subscriptions.forEach((subscription, index) => {
    const start = at + index * SUBSCRIPTION.bytes;
    view.setBigUint64(start + SUBSCRIPTION.userData, BigInt(index), true);
    if ("clock" in subscription) {
      view.setUint8(start + SUBSCRIPTION.tag, EVENT_TYPE.clock);
      view.setUint32(start + SUBSCRIPTION.clock, subscription.clock, true);
      view.setBigUint64(start + SUBSCRIPTION.timeout, subscription.timeout, true);
      view.setUint16(start + SUBSCRIPTION.clockFlags, subscription.flags ?? 0, true);
    } else {
      const isRead = "read" in subscription;
      view.setUint8(start + SUBSCRIPTION.tag, isRead ? EVENT_TYPE.fdRead : EVENT_TYPE.fdWrite);
      view.setUint32(start + SUBSCRIPTION.descriptor, isRead ? subscription.read : subscription.write, true);
    }
  });
}

export function readEvents({ view }: GuestCalls, at: number = OUTPUT): TestEvent[] {
  return Array.from({ length: view.getUint32(COUNT, true) }, (_, index) => {
    const start = at + index * EVENT.bytes;
    return {
      index: Number(view.getBigUint64(start + EVENT.userData, true)),
      error: errnoName(view.getUint16(start + EVENT.error, true)),
      type: TYPES[view.getUint8(start + EVENT.type)]!,
      bytes: view.getBigUint64(start + EVENT.available, true),
      isHangup: view.getUint16(start + EVENT.flags, true) === 1,
    };
  });
}

/** `poll_oneoff`: at once where something is ready. */
export function startPoll(guest: GuestCalls, subscriptions: readonly TestSubscription[]): number | Promise<number> {
  subscribe(guest, subscriptions);
  return guest.start("poll_oneoff", INPUT, OUTPUT, subscriptions.length, COUNT);
}

export async function poll(guest: GuestCalls, subscriptions: readonly TestSubscription[]): Promise<TestEvent[]> {
  subscribe(guest, subscriptions);
  await guest.call("poll_oneoff", INPUT, OUTPUT, subscriptions.length, COUNT);
  return readEvents(guest);
}
