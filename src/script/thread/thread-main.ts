/** What the thread of an engine runs: a runtime whose functions of the host are commands to another thread. */

import { enterPlatformThread } from "../../threads/choose-threads.ts";
import type { HostFunction, ScriptLanguage, ScriptRuntime } from "../language.ts";
import { ScriptError } from "../script-errors.ts";
import { ScriptRun } from "../script-run.ts";
import { decodeWire, encodeWire } from "../wire.ts";
import type { WireTarget, WireValue } from "../wire.ts";
import type { Command, Outcome, RunOrder, ThreadData, ToHost, ToThread } from "./messages.ts";
import { ScriptReferences } from "./script-references.ts";

interface PendingCommand {
  /** The run that waits for the reply; `undefined` if any may. */
  readonly run: number | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const inside = await enterPlatformThread<ThreadData>();
const { origin, options, canLoadModules } = inside.data;

const send = (message: ToHost): void => inside.post(message);
const references = new ScriptReferences((reference) => send({ type: "release", reference }));
const runs = new Map<number, ScriptRun>();
const numbers = new WeakMap<ScriptRun, number>();
const commands = new Map<number, PendingCommand>();
let lastCommand = 0;
/** Why a function could not be defined, which the host is told when it runs something next. */
let failedDefinition: { readonly error: unknown } | undefined;

const target: WireTarget = {
  fromScript: (id) => references.scriptFunction(id),
  referenceOf: (value) => references.keepScriptFunction(value),
  keepFunction: (callee) => references.numberOfHostFunction(callee),
  hostFunction: (id) => references.hostFunction(id),
  keepError: (error) => references.numberOfHostError(error),
  hostError: (id) => references.hostError(id),
};

const runtime = await startRuntime();
inside.onMessage((message) => onMessage(message as ToThread)); // the host sends nothing else
send({ type: "started" });

async function startRuntime(): Promise<ScriptRuntime> {
  const module = (await import(/* @vite-ignore */ origin.module)) as Record<
    string,
    (options: unknown) => ScriptLanguage
  >;
  const language = module[origin.factory]!(origin.options);
  return language.start({
    ...options,
    print: (text) => send({ type: "print", text }),
    loadModule: canLoadModules ? (name) => command({ kind: "load", name }) as Promise<string> : undefined,
    functions: {
      fromScript: (reference) => references.makeScriptFunction(reference),
      referenceOf: (value) => references.referenceOf(value),
      callHost,
    },
  });
}

/** Sends a command; the reply settles the promise. */
function command(order: Command): Promise<unknown> {
  const number = ++lastCommand;
  return new Promise((resolve, reject) => {
    commands.set(number, { run: order.kind === "load" ? undefined : order.run, resolve, reject });
    send({ type: "command", command: number, order });
  });
}

function callHost(callee: HostFunction, args: readonly unknown[], run: ScriptRun): unknown {
  // What a language brings itself, such as `print`.
  if (!references.isOfHost(callee)) return (callee as (...values: readonly unknown[]) => unknown)(...args);
  const number = references.numberOfHostFunction(callee);
  return command({ kind: "call", run: numbers.get(run)!, callee: number, args: encodeWire(args, target) });
}

function onMessage(message: ToThread): void {
  switch (message.type) {
    case "define":
      define(message.path, message.callee);
      return;
    case "evaluate":
      void perform(message, (run) => runtime.evaluate(message.source, message.options, run));
      return;
    case "call":
      void perform(message, (run) => runtime.call(calleeOf(message.callee), argumentsOf(message.args), run));
      return;
    case "stop":
      runs.get(message.run)?.stop(undefined);
      return;
    case "release":
      references.releaseScriptFunction(message.reference);
      return;
    case "reply":
      onReply(message.command, message);
      return;
    case "measure":
      void finish(message.run, measure());
      return;
    case "close":
      void close();
  }
}

/** A script may keep it from being done, but not have the thread end. */
function define(path: readonly string[], callee: number): void {
  try {
    runtime.define(path, references.hostFunction(callee));
  } catch (error) {
    failedDefinition ??= { error };
  }
}

async function measure(): Promise<number> {
  return runtime.memoryBytes();
}

async function perform(
  { run: number, maxOperations, isWatched }: RunOrder,
  body: (run: ScriptRun) => Promise<unknown>,
): Promise<void> {
  let reported = 0;
  const report = (operations: number): Promise<unknown> => {
    const order: Command = { kind: "progress", run: number, operations: operations - reported };
    reported = operations;
    return command(order);
  };
  const run = new ScriptRun({ maxOperations, onProgress: isWatched ? report : undefined });
  runs.set(number, run);
  numbers.set(run, number);
  const operations = (): number => run.operations - reported;
  await finish(number, stopped(run, body), operations);
  runs.delete(number);
  run.end();
  if (run.isStopped) forgetCommands(number);
}

/** Those whose replies may never come, and nobody waits for. */
function forgetCommands(run: number): void {
  for (const [number, pending] of commands) {
    if (pending.run === run) commands.delete(number);
  }
}

/** A run that has cost too much rejects with that, whatever its script says. */
async function stopped(run: ScriptRun, body: (run: ScriptRun) => Promise<unknown>): Promise<unknown> {
  try {
    requireDefinitions();
    const value = await body(run);
    if (run.isStopped) throw run.reason;
    return value;
  } catch (error) {
    throw run.isStopped ? run.reason : error;
  }
}

function requireDefinitions(): void {
  const failed = failedDefinition;
  failedDefinition = undefined;
  if (failed !== undefined) throw failed.error;
}

async function finish(run: number, result: Promise<unknown>, operations = () => 0): Promise<void> {
  let outcome: Outcome;
  try {
    outcome = { isFulfilled: true, value: encodeWire(await result, target) };
  } catch (error) {
    outcome = { isFulfilled: false, value: encodeWire(error, target) };
  }
  send({ type: "done", run, operations: operations(), ...outcome });
}

function onReply(number: number, { isFulfilled, value }: Outcome): void {
  const pending = commands.get(number);
  commands.delete(number);
  const decoded = decodeWire(value, target);
  if (isFulfilled) pending?.resolve(decoded);
  // As the host function has thrown it: what a script is told of it are its name, message and fields.
  else pending?.reject(decoded instanceof ScriptError ? references.asHostError(decoded) : decoded);
}

function calleeOf(callee: readonly string[] | number): Parameters<ScriptRuntime["call"]>[0] {
  return typeof callee === "number" ? references.referenceOf(references.scriptFunction(callee))! : callee;
}

function argumentsOf(wire: WireValue): unknown[] {
  return decodeWire(wire, target) as unknown[]; // the host has encoded a list
}

async function close(): Promise<void> {
  await runtime.close();
  inside.leave();
}
