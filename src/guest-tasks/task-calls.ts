/** Tasks, as guests start and end them. */

import type { Soon } from "../coroutine/pending.ts";
import { runOnItsOwn } from "../link/activation-context.ts";
import { NO_ALLOCATOR } from "../link/allocator.ts";
import { instanceOf } from "../link/instance.ts";
import type { Instance } from "../link/instance.ts";
import type { GuestFunction } from "../link/guest-function.ts";
import type { CallOptions } from "../link/linked-guest.ts";
import { sleepSoon } from "../tasks/sleep.ts";
import type { TaskResult } from "../tasks/task.ts";
import { yieldSoon } from "../tasks/yield-now.ts";
import { Errno } from "../wasi/preview1/errno.ts";
import { encodeText } from "../wasi/preview1/guest-memory.ts";
import type { GuestCall } from "./guest-call.ts";
import { SpawnError } from "./spawn-error.ts";
import { OK, WAS_CANCELLED } from "./status.ts";
import { threadLocalHooks } from "./thread-local-hooks.ts";
import type { Call, World } from "./world.ts";

/** Linkers that are told to strip all leave no name by which it could be found. */
const ALLOCATOR_HINT = "; a program without names needs -Wl,--export=malloc,--export=free";

/** What guests export for it: `(body, argument) -> result`, pointers. */
const START = "stackful_start";

/** @throws {SpawnError} when the guest cannot have tasks */
function startOf({ caller }: GuestCall): { instance: Instance; start: GuestFunction } {
  const instance = instanceOf(caller);
  if (instance === undefined) throw new Error("Cannot spawn: the guest is not an instance of this library");
  const { queueReason } = instance;
  if (queueReason !== undefined) {
    const hint = queueReason.endsWith(NO_ALLOCATOR) ? ALLOCATOR_HINT : "";
    throw new SpawnError(`the guest has no stack for another task: ${queueReason}${hint}`);
  }
  if (!(START in instance.exports)) {
    throw new SpawnError(`the guest does not export ${START}, which stackful.h has`);
  }
  return { instance, start: instance.function(START) };
}

/** A local of a guest: where its destructor is, or 0. */
class Local {
  readonly destructor: number;

  constructor(destructor: number) {
    this.destructor = destructor;
  }
}

/** Writes as much of it as fits, and a zero. Returns its length. */
function writeName({ memory }: GuestCall, name: string, pointer: number, size: number): number {
  const text = encodeText(name);
  const room = size >>> 0;
  if (room > 0) {
    const written = text.subarray(0, room - 1);
    memory.require(pointer, written.length + 1);
    memory.setBytes(pointer, written);
    memory.setU8((pointer >>> 0) + written.length, 0);
  }
  return text.length;
}

export const TASK_CALLS: (world: World) => Readonly<Record<string, Call>> = ({ tasks, objects }) => ({
  spawn(call, body, argument, name) {
    const { program } = call.requireTask("spawn");
    const { instance, start } = startOf(call);
    const text = name === 0 ? undefined : call.name(name);
    const hooks = threadLocalHooks(instance, (error) => program.fail(error));
    // The call is no part of whatever the one that spawns it does.
    const begin = (options: CallOptions): Promise<unknown> => start.call([body, argument], { ...options, ...hooks });
    return program.spawn((options) => runOnItsOwn(() => begin(options)), text).id;
  },

  join(call, id, result, limit): Soon<number> {
    const target = tasks.get(id);
    if (target.isDetached) throw new Errno("EINVAL");
    if (result !== 0) call.memory.require(result, 4);
    const finish = (end: TaskResult<unknown>): number => {
      tasks.delete(target);
      if (end.state !== "returned") return WAS_CANCELLED;
      if (result !== 0) call.memory.setU32(result, Number(end.value));
      return OK;
    };
    return call.answer(target.task.joinSoon(call.options), finish, { limit });
  },

  detach(_call, id) {
    const target = tasks.get(id);
    target.isDetached = true;
    if (target.task.result !== undefined) tasks.delete(target);
    return OK;
  },

  cancel(_call, id) {
    tasks.get(id).task.cancel();
    return OK;
  },

  self: (call) => call.task?.id ?? 0,

  name: (call, id, pointer, size) => writeName(call, tasks.get(id).task.name, pointer, size),

  yield: (call) => yieldSoon(call.options),

  // Not less than that: timers count whole milliseconds. What is no number is no time.
  sleep: (call, milliseconds) => sleepSoon(milliseconds > 0 ? Math.ceil(milliseconds) : 0, call.options),

  local_new: (_call, destructor) => objects.add(() => new Local(destructor)),

  local_get(call, key) {
    objects.get(key, Local);
    return call.requireTask("get local").local(key);
  },

  local_set(call, key, value) {
    objects.get(key, Local);
    call.requireTask("set local").setLocal(key, value);
    return OK;
  },

  local_take(call, destructor) {
    const hasDestructor = (key: number): boolean => objects.get(key, Local).destructor !== 0;
    const taken = call.task?.takeLocal(hasDestructor);
    if (taken === undefined) return 0;
    call.memory.setU32(destructor, objects.get(taken.key, Local).destructor);
    return taken.value;
  },
});
