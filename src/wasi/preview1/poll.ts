/** `poll_oneoff`: waits for time to pass, and for descriptors to be ready. */

import type { Clock } from "../host/clock.ts";
import type { Soon } from "../host/file-system.ts";
import { readClock } from "./clock.ts";
import type { Descriptor, Direction, Waiting } from "./descriptor.ts";
import type { DescriptorTable } from "./descriptor-table.ts";
import { Errno, ESUCCESS, errnoOf } from "./errno.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { CLOCK, EVENT, EVENT_HANGUP, EVENT_TYPE, SUBSCRIPTION_CLOCK_ABSTIME } from "./layout.ts";
import { RIGHTS } from "./rights.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Program, Syscall, Syscalls } from "./syscall.ts";
import { giveWay } from "./waiting.ts";

/** More than any program has descriptors and clocks. */
const MAX_SUBSCRIPTIONS = 65_536;

/** Nanoseconds after which a clock is looked at again that may have been set meanwhile. */
const REALTIME_RECHECK_NS = 500_000_000n;
/** And one that goes on only while somebody computes: the time that is left on it says nothing. */
const CPU_RECHECK_NS = 10_000_000n;
/** A day. */
const LONGEST_NS = 86_400_000_000_000n;

export const polls: Syscalls = {
  poll_oneoff(call: Syscall, input: number, output: number, count: number, eventCount: number) {
    const { program, memory } = call;
    const length = count >>> 0;
    if (length === 0 || length > MAX_SUBSCRIPTIONS) throw new Errno("EINVAL");
    // All that is written at the end is looked at now: who has waited is told of what has happened.
    memory.bytes(output, length * EVENT.bytes);
    memory.setU32(eventCount, 0);
    const poll = new Poll(program, readSubscriptions(memory, program.snapshot, { input, length }), call);
    return poll.run((events) => {
      // The subscriptions may lie where the events go; they have been read.
      events.forEach((event, index) => writeEvent(memory, output + index * EVENT.bytes, event));
      memory.setU32(eventCount, events.length);
    });
  },
};

interface Subscription {
  readonly userData: bigint;
  readonly type: number;
  /** A clock, or a descriptor's number. */
  readonly id: number;
  readonly timeout: bigint;
  readonly flags: number;
}

interface PollEvent {
  readonly userData: bigint;
  readonly type: number;
  readonly error: number;
  readonly available: bigint;
  readonly flags: number;
}

function readSubscriptions(
  memory: GuestMemory,
  { subscription }: Snapshot,
  { input, length }: { readonly input: number; readonly length: number },
): Subscription[] {
  memory.bytes(input, length * subscription.bytes);
  return Array.from({ length }, (_, index) => {
    const at = (input >>> 0) + index * subscription.bytes;
    const type = memory.u8(at + subscription.tag);
    if (type > EVENT_TYPE.fdWrite) throw new Errno("EINVAL");
    const isClock = type === EVENT_TYPE.clock;
    return {
      userData: memory.u64(at + subscription.userData),
      type,
      id: memory.u32(at + (isClock ? subscription.clock : subscription.descriptor)),
      timeout: isClock ? memory.u64(at + subscription.timeout) : 0n,
      flags: isClock ? memory.u16(at + subscription.clockFlags) : 0,
    };
  });
}

function writeEvent(memory: GuestMemory, at: number, { userData, error, type, available, flags }: PollEvent): void {
  memory.clear(at, EVENT.bytes);
  memory.setU64(at + EVENT.userData, userData);
  memory.setU16(at + EVENT.error, error);
  memory.setU8(at + EVENT.type, type);
  memory.setU64(at + EVENT.available, available);
  memory.setU16(at + EVENT.flags, flags);
}

/** When a clock is to say what. */
interface Deadline {
  readonly clock: number;
  readonly at: bigint;
  /** Nanoseconds to wait for it before it is looked at again; the time that is left if that is in between. */
  readonly atLeast: bigint;
  readonly atMost: bigint;
}

/**
 * A subscription, ready to be looked at again and again. What was open under its number when the call began is what it waits for, whatever
 * another coroutine puts there meanwhile.
 */
type Subject = { readonly subscription: Subscription } & (
  | { readonly kind: "clock"; readonly deadline: Deadline }
  | { readonly kind: "descriptor"; readonly descriptor: Descriptor; readonly direction: Direction }
  | { readonly kind: "mistake"; readonly error: number }
);

/** What each clock says, read once for all subscriptions: a program may have tens of thousands. */
class Now {
  readonly #clock: Clock;
  readonly #readings: (bigint | undefined)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nanoseconds. @throws {Errno} `EINVAL` when there is no such clock */
  of(id: number): bigint {
    const found = this.#readings[id];
    if (found !== undefined) return found;
    const reading = readClock(this.#clock, id);
    this.#readings[id] = reading;
    return reading;
  }
}

/** One call: looks at what is ready, and if nothing is waits until something may be, and looks again. */
class Poll {
  readonly #clock: Clock;
  readonly #subjects: readonly Subject[];
  readonly #call: Waiting;

  constructor({ clock, descriptors }: Program, subscriptions: readonly Subscription[], call: Waiting) {
    const now = new Now(clock);
    this.#clock = clock;
    this.#subjects = subscriptions.map((subscription) => subjectOf(subscription, now, descriptors));
    this.#call = call;
  }

  /** Gives what has happened to `report`: something, always. */
  run(report: (events: readonly PollEvent[]) => void): Soon<void> {
    const events = this.#events();
    if (events.length === 0) return this.#wait(report);
    const turn = giveWay(this.#call);
    if (turn === undefined) {
      report(events);
      return undefined;
    }
    return turn.then(() => {
      // The memory of a program that was ended meanwhile belongs to another.
      if (this.#call.signal?.aborted === true) return undefined;
      // Another coroutine may have taken what was there.
      const left = this.#events();
      return left.length === 0 ? this.#wait(report) : report(left);
    });
  }

  #wait(report: (events: readonly PollEvent[]) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const { signal } = this.#call;
      if (signal?.aborted === true) return;
      let stopTimer = nothing;
      const look = (): boolean => {
        try {
          const events = this.#events();
          if (events.length === 0) return false;
          report(events);
          resolve();
        } catch (error) {
          reject(error);
        }
        stop();
        return true;
      };
      const startTimer = (): void => {
        const wait = this.#timeToWait();
        // It may be early: who asked for it knows the clock.
        if (wait !== undefined) stopTimer = this.#clock.wakeAfter(wait, () => look() || startTimer());
      };
      const stops = this.#watchAll(look);
      const stop = (): void => {
        stopTimer();
        for (const stopWatching of stops) stopWatching();
        signal?.removeEventListener("abort", stop);
      };
      startTimer();
      signal?.addEventListener("abort", stop);
    });
  }

  #watchAll(look: () => void): (() => void)[] {
    return this.#subjects.flatMap((subject) =>
      subject.kind === "descriptor" ? [subject.descriptor.watch(subject.direction, look)] : [],
    );
  }

  /** Nanoseconds until a clock may say what it is waited for; `undefined`: there is no clock. */
  #timeToWait(): bigint | undefined {
    const now = new Now(this.#clock);
    let shortest: bigint | undefined;
    for (const subject of this.#subjects) {
      if (subject.kind !== "clock") continue;
      const { clock, at, atLeast, atMost } = subject.deadline;
      const wait = between(atLeast, at - now.of(clock), atMost);
      if (shortest === undefined || wait < shortest) shortest = wait;
    }
    return shortest;
  }

  /** What has happened by now, in the order of the subscriptions. */
  #events(): PollEvent[] {
    const now = new Now(this.#clock);
    return this.#subjects.flatMap((subject) => eventOf(subject, now) ?? []);
  }
}

function eventOf(subject: Subject, now: Now): PollEvent | undefined {
  const { userData, type } = subject.subscription;
  const event = { userData, type, error: ESUCCESS, available: 0n, flags: 0 };
  if (subject.kind === "mistake") return { ...event, error: subject.error };
  if (subject.kind === "clock") {
    const { clock, at } = subject.deadline;
    return now.of(clock) >= at ? event : undefined;
  }
  try {
    const ready = subject.descriptor.readiness(subject.direction);
    return ready && { ...event, available: ready.bytes, flags: ready.isHangup ? EVENT_HANGUP : 0 };
  } catch (error) {
    return { ...event, error: errnoOf(error) };
  }
}

function nothing(): void {}

function subjectOf(subscription: Subscription, now: Now, descriptors: DescriptorTable): Subject {
  const { type, id } = subscription;
  try {
    if (type === EVENT_TYPE.clock) return { kind: "clock", subscription, deadline: deadlineOf(subscription, now) };
    const direction = type === EVENT_TYPE.fdRead ? "read" : "write";
    const right = direction === "read" ? RIGHTS.fd_read : RIGHTS.fd_write;
    const descriptor = descriptors.with(id, RIGHTS.poll_fd_readwrite | right);
    return { kind: "descriptor", subscription, descriptor, direction };
  } catch (error) {
    return { kind: "mistake", subscription, error: errnoOf(error) };
  }
}

function deadlineOf({ id, timeout, flags }: Subscription, now: Now): Deadline {
  if ((flags & ~SUBSCRIPTION_CLOCK_ABSTIME) !== 0) throw new Errno("EINVAL");
  const present = now.of(id);
  const isAbsolute = (flags & SUBSCRIPTION_CLOCK_ABSTIME) !== 0;
  if (id === CLOCK.processCpuTime || id === CLOCK.threadCpuTime) {
    return { clock: id, at: isAbsolute ? timeout : present + timeout, atLeast: CPU_RECHECK_NS, atMost: CPU_RECHECK_NS };
  }
  // Who waits for some time to pass waits for that, also when the clock is set meanwhile. (POSIX: clock_nanosleep)
  if (!isAbsolute) {
    const { monotonic } = CLOCK;
    return { clock: monotonic, at: now.of(monotonic) + timeout, atLeast: 0n, atMost: LONGEST_NS };
  }
  return { clock: id, at: timeout, atLeast: 0n, atMost: id === CLOCK.realtime ? REALTIME_RECHECK_NS : LONGEST_NS };
}

function between(least: bigint, value: bigint, most: bigint): bigint {
  if (value < least) return least;
  return value > most ? most : value;
}
