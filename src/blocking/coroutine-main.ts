/** What a thread for coroutines runs: their bodies, one after the other. */

import { ForcedUnwind } from "../coroutine/errors.ts";
import { Answerer } from "../threads/answerer.ts";
import { BlockingCaller } from "../threads/blocking-caller.ts";
import { enterPlatformThread } from "../threads/choose-threads.ts";
import type { CoroutineThreadData } from "../threads/coroutine-thread.ts";
import { KIND, openLine } from "../threads/line.ts";
import { ThreadError } from "../threads/thread-end.ts";
import type { Yielder } from "./yielder.ts";

type Body = (yielder: Yielder<unknown, unknown>, input: unknown) => unknown;

const inside = await enterPlatformThread<CoroutineThreadData>();
const line = openLine(inside.data.line, "thread", {
  port: inside.port,
  ring: () => inside.post(0),
  whyEnded: () => undefined,
});

const caller = new BlockingCaller(line, {
  describe: () => "suspend",
  answer: (call) =>
    caller.answer(call, KIND.threw, new ThreadError("would-deadlock", "A body is suspended in this thread")),
});

const yielder: Yielder<unknown, unknown> = {
  suspend(value) {
    try {
      return caller.call(0, [value]);
    } catch (error) {
      throw asForcedUnwind(error);
    }
  },
};

/** Errors lose their classes on the way, and bodies look for this one. */
function asForcedUnwind(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== "ForcedUnwind") return error;
  return new ForcedUnwind(error.message, "cause" in error ? { cause: error.cause } : {});
}

async function run(module: string, name: string, input: unknown): Promise<unknown> {
  const exported = (await import(/* @vite-ignore */ module)) as Record<string, unknown>;
  const body = exported[name];
  if (typeof body === "function") return (body as Body)(yielder, input);
  throw new TypeError(
    `Cannot run ${name}: ${module} exports no such function; it exports ${Object.keys(exported).join(", ")}`,
  );
}

const answerer = new Answerer(line, {
  describe: () => "the body of the coroutine",
  handle: (_call, [module, name, input]) => run(module as string, name as string, input),
});

inside.onMessage(() => answerer.look());
// It has begun.
inside.post(0);
