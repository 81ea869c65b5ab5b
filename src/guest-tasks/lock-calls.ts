/** Locks of guests. What a task has is released at its end. */

import type { Soon } from "../coroutine/pending.ts";
import { Barrier } from "../tasks/barrier.ts";
import { Semaphore } from "../tasks/semaphore.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import { GuestCondition } from "./guest-condition.ts";
import { requireFrom } from "./guest-call.ts";
import { GuestMutex, GuestRwLock, requireMade } from "./guest-locks.ts";
import { GuestChannel } from "./guest-channel.ts";
import { OK } from "./status.ts";
import type { Call, World } from "./world.ts";

const ok = (): number => OK;

/** Whether somebody has it, or waits there. */
function isUsed(found: object): boolean {
  if (found instanceof Semaphore || found instanceof Barrier) return found.waiting > 0;
  if (found instanceof GuestMutex || found instanceof GuestRwLock) return found.isUsed;
  return found instanceof GuestCondition && found.isUsed;
}

export const LOCK_CALLS: (world: World) => Readonly<Record<string, Call>> = ({ objects, memory }) => ({
  rwlock_new: () => objects.add((handle) => new GuestRwLock(`${handle}`)),

  rwlock_read(call, handle, limit): Soon<number> {
    const lock = objects.get(handle, GuestRwLock);
    return call.answer(lock.lock.readSoon(call.options), (guard) => lock.take(call.task, guard), { limit });
  },

  rwlock_write(call, handle, limit): Soon<number> {
    const lock = objects.get(handle, GuestRwLock);
    return call.answer(lock.lock.writeSoon(call.options), (guard) => lock.take(call.task, guard), { limit });
  },

  rwlock_unlock: (call, handle) => objects.get(requireMade(handle), GuestRwLock).give(call.task),

  semaphore_new(_call, permits) {
    requireFrom(0, permits);
    return objects.add((handle) => new Semaphore(permits, { name: `${handle}` }));
  },

  semaphore_acquire(call, handle, count, limit): Soon<number> {
    requireFrom(1, count);
    const semaphore = objects.get(handle, Semaphore);
    return call.answer(semaphore.acquireSoon({ ...call.options, count }), ok, { limit });
  },

  semaphore_release(_call, handle, count) {
    requireFrom(1, count);
    objects.get(handle, Semaphore).release(count);
    return OK;
  },

  barrier_new(_call, parties) {
    requireFrom(1, parties);
    return objects.add((handle) => new Barrier(parties, { name: `${handle}` }));
  },

  barrier_wait(call, handle, limit): Soon<number> {
    return call.answer(objects.get(handle, Barrier).arriveSoon(call.options), Number, { limit });
  },

  free(_call, handle) {
    const found = objects.get(handle, Object);
    if (isUsed(found)) throw new Errno("EBUSY");
    if (found instanceof GuestChannel) found.drop(memory);
    objects.delete(handle);
    return OK;
  },
});
