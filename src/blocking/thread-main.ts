/** What a thread of `startThread()` or `toSync()` runs: loads the user's module, and answers calls of its functions. */

import { Abandonable } from "../threads/abandonable.ts";
import { Answerer, isThenable } from "../threads/answerer.ts";
import { BlockingCaller } from "../threads/blocking-caller.ts";
import { enterPlatformThread } from "../threads/choose-threads.ts";
import { KIND, openLine } from "../threads/line.ts";
import type { Message } from "../threads/mailbox.ts";
import { packToMove, packValue, unpackValue } from "../threads/packed-value.ts";
import { notCloneable, passable } from "../threads/passable-error.ts";
import { ThreadError } from "../threads/thread-end.ts";
import { provideHost } from "./host.ts";
import type { ThreadData, ToParent, ToThread } from "./messages.ts";
import { RESOLVE_NAME } from "./messages.ts";
import { serve, servedCall } from "./served-call.ts";

type ExportedFunction = (...args: unknown[]) => unknown;

const inside = await enterPlatformThread<ThreadData>();
const { module: moduleUrl, hostNames } = inside.data;
const send = (message: ToParent, transfer?: readonly Transferable[]): void => inside.post(message, transfer);
const line = openLine(inside.data.line, "thread", {
  port: inside.port,
  ring: () => send({ type: "ring" }),
  // With the parent this thread ends.
  whyEnded: () => undefined,
});

let isClosing = false;

const caller = new BlockingCaller(line, {
  describe: (name) => `host.${hostNames[name] ?? String(name)}`,
  answer: answerNested,
  // A number of a call of Thread.call(); calls of toSync() have no host.
  owner: () => servedCall.get()?.id ?? 0,
});

provideHost({
  names: hostNames,
  call: (name, args, options) => {
    if (isClosing)
      throw new ThreadError("closed", "The thread is being closed").inCall(`host.${hostNames[name] ?? ""}`);
    return caller.call(name, args, options);
  },
});

/** Set when the module has been loaded. */
let names: readonly string[] = [];
let functions: readonly ExportedFunction[] = [];

async function loadModule(): Promise<void> {
  const exported = (await import(/* @vite-ignore */ moduleUrl)) as Record<string, unknown>;
  const entries = Object.entries(exported).filter(([, value]) => typeof value === "function");
  names = entries.map(([name]) => name);
  functions = entries.map(([, value]) => value as ExportedFunction);
}

const loaded = loadModule();

/** Calls that have not been answered, by their numbers. */
const open = new Map<number, Abandonable>();

function functionOf(name: string): ExportedFunction {
  const found = functions[names.indexOf(name)];
  if (found !== undefined) return found;
  const list = names.length === 0 ? "no functions" : names.join(", ");
  throw new TypeError(`Cannot call ${name}: ${moduleUrl} exports no such function; it exports ${list}`);
}

/** A call that comes while this thread is blocked: from the function that it is blocked in, so it has to be answered at once. */
function answerNested(call: Message): void {
  const name = names[call.name] ?? String(call.name);
  try {
    const answer = functions[call.name]?.(...(call.value as unknown[]));
    if (isThenable(answer)) {
      answer.then(undefined, () => {});
      const message = `Cannot call ${name}: it is asynchronous, and the thread is blocked in the function that has called it`;
      throw new ThreadError("would-deadlock", message);
    }
    caller.answer(call, KIND.returned, answer);
  } catch (error) {
    caller.answer(call, KIND.threw, error);
  }
}

const answerer = new Answerer(line, {
  describe: (name) => names[name] ?? String(name),
  handle: (call, args) => {
    const { id, name } = call;
    if (name === RESOLVE_NAME) return resolveName(String(args[0]));
    return servedCall.run(serve(id, call), () => functions[name]?.(...args));
  },
});

/** The number of an exported function: the first thing that `toSync()` asks for. */
async function resolveName(name: string): Promise<number> {
  await loaded;
  functionOf(name);
  return names.indexOf(name);
}

async function answerCall({ id, name, args }: Extract<ToThread, { type: "call" }>): Promise<void> {
  try {
    await loaded;
    const call = functionOf(name);
    const abandonable = new Abandonable();
    open.set(id, abandonable);
    const value = await servedCall.run(serve(id, abandonable), () => call(...(unpackValue(args) as unknown[])));
    sendAnswer("returned", id, name, value);
  } catch (error) {
    sendAnswer("threw", id, name, passable(error));
  } finally {
    open.delete(id);
  }
}

function sendAnswer(type: "returned" | "threw", id: number, name: string, value: unknown): void {
  try {
    const { packed, transfer } = packToMove(value, false);
    send({ type, id, value: packed }, transfer);
  } catch (error) {
    send({ type: "threw", id, value: packValue(notCloneable(`what ${name} has answered`, error)) });
  }
}

inside.onMessage((received) => {
  const message = received as ToThread; // the parent sends nothing else
  switch (message.type) {
    case "ring":
      answerer.look();
      break;
    case "call":
      void answerCall(message);
      break;
    case "abandon":
      open.get(message.id)?.abandon();
      break;
    case "ping":
      send({ type: "pong" });
      break;
    case "close":
      isClosing = true;
      inside.leave();
  }
});

try {
  await loaded;
  send({ type: "loaded", names });
} catch (error) {
  send({ type: "failed", error: packValue(passable(error)) });
}
