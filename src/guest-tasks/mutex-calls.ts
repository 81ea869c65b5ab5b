/** Mutexes of guests, and conditions, which they wait for without one. */

import type { Soon } from "../coroutine/pending.ts";
import { GuestCondition } from "./guest-condition.ts";
import type { GuestCall } from "./guest-call.ts";
import { GuestMutex, requireMade } from "./guest-locks.ts";
import { OK } from "./status.ts";
import type { Call, World } from "./world.ts";

/**
 * Whoever is woken by a condition takes its mutex next. If it is cancelled there it never looks at what it was woken for, and somebody
 * else has to.
 */
function takeWakeUp({ task }: GuestCall): (() => void) | undefined {
  const passOn = task?.passOn;
  if (task !== undefined) task.passOn = undefined;
  return passOn;
}

export const MUTEX_CALLS: (world: World) => Readonly<Record<string, Call>> = ({ objects }) => ({
  mutex_new: () => objects.add((handle) => new GuestMutex(`${handle}`)),

  mutex_lock(call, handle, limit): Soon<number> {
    const mutex = objects.get(handle, GuestMutex);
    const onAbandon = takeWakeUp(call);
    try {
      return call.answer(mutex.mutex.lockSoon(call.options), (guard) => mutex.take(call.task, guard), {
        limit,
        onAbandon,
      });
    } catch (error) {
      onAbandon?.();
      throw error;
    }
  },

  mutex_unlock: (call, handle) => objects.get(requireMade(handle), GuestMutex).give(call.task),

  condition_new: () => objects.add((handle) => new GuestCondition(`${handle}`)),

  condition_wait(call, handle, limit): Soon<number> {
    const condition = objects.get(handle, GuestCondition);
    const finish = (): number => {
      if (call.task !== undefined) call.task.passOn = () => condition.notify(false);
      return OK;
    };
    return call.answer(condition.wait(call.options), finish, { limit });
  },

  condition_notify(_call, handle, all) {
    objects.get(handle, GuestCondition).notify(all !== 0);
    return OK;
  },
});
