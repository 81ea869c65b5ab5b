/**
 * CRuby as a program that runs scripts: each in a fiber of Ruby. All of them are one activation of the instance, whose fibers take turns: Ruby has
 * stacks of its own for them.
 */

import { instantiate } from "../../instantiate.ts";
import type { GuestModule } from "../../link/guest-module.ts";
import type { Instance } from "../../link/instance.ts";
import { lines } from "../../wasi/host/text-output.ts";
import { WASI } from "../../wasi/wasi.ts";
import type { HostReferences } from "../host-references.ts";
import type { RuntimeOptions } from "../language.ts";
import { Channel } from "../program/channel.ts";
import { CHANNELS, ChannelDirectory } from "../program/channel-directory.ts";
import { ORDERS, REPORTS, addressFrame, encodeFrame } from "../program/frame.ts";
import type { Frame } from "../program/frame.ts";
import { FUEL, operationsLeft } from "../program/operations.ts";
import type { ScriptProgram } from "../program/script-program.ts";
import type { Strand } from "../program/strand.ts";
import { Turns } from "../program/turns.ts";
import { RubyCalls, rubyImports } from "./ruby-calls.ts";
import { PRELUDE } from "./prelude.ts";

/** Has the prelude load what the host has. */
const MODULES_OF_HOST = "modules";

export class RubyProgram implements ScriptProgram {
  readonly ended: Promise<unknown>;
  readonly #references: HostReferences;
  readonly #abort = new AbortController();
  readonly turns: Turns;
  readonly #fibers = new Map<number, RubyFiber>();
  readonly #idle: RubyFiber[] = [];
  readonly #told: Uint8Array[] = [];
  readonly #channel: Channel;
  #instance!: Instance;
  #setEnded!: (reason: unknown) => void;
  #isReady!: () => void;

  private constructor(references: HostReferences) {
    this.#references = references;
    this.ended = new Promise((resolve) => (this.#setEnded = resolve));
    this.turns = new Turns({
      left: () => operationsLeft(this.#instance),
    });
    this.#channel = new Channel({
      onFrame: (frame) => this.#onFrame(frame),
      onWait: () => this.turns.leaveAll(),
    });
  }

  static async start(module: GuestModule, options: RuntimeOptions, references: HostReferences): Promise<RubyProgram> {
    const program = new RubyProgram(references);
    await program.#start(module, options);
    return program;
  }

  async #start(module: GuestModule, { backend, print, loadModule }: RuntimeOptions): Promise<void> {
    const output = lines((text) => {
      print(text);
    });
    const wasi = new WASI({
      args: ["ruby"],
      preopens: { [CHANNELS]: new ChannelDirectory((number) => (number === 0 ? this.#channel : undefined)) },
      stdin: "ignore",
      stdout: output,
      stderr: output,
    });
    this.#instance = await instantiate(module, rubyImports(module, wasi.imports()), {
      backend,
      interruptible: { fuel: FUEL },
    });
    const { signal } = this.#abort;
    await wasi.initialize(this.#instance, { signal });
    const calls = new RubyCalls(this.#instance, { signal });
    await calls.initialize(["ruby", "-EUTF-8", "-e_=0", ...(loadModule === undefined ? [] : [MODULES_OF_HOST])]);
    const ready = new Promise<void>((resolve) => (this.#isReady = resolve));
    void this.#run(calls.evaluate(`eval(${JSON.stringify(PRELUDE).replaceAll("#", "\\#")}, nil, "<stackful>", 1)`));
    const failure = await Promise.race([ready, this.ended]);
    if (failure !== undefined) throw new Error("Cannot start Ruby: it has ended", { cause: failure });
  }

  take(): Strand {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const fiber = new RubyFiber(this.#fibers.size + 1, this.turns, (order) => this.#send(order));
    this.#fibers.set(fiber.number, fiber);
    this.tell(encodeFrame(ORDERS.start, undefined, fiber.number));
    return fiber;
  }

  giveBack(strand: Strand): void {
    this.#idle.push(strand as RubyFiber); // there are no others
  }

  tell(order: Uint8Array): void {
    this.#told.push(order);
  }

  memoryBytes(): number {
    return this.#instance.memory!.buffer.byteLength;
  }

  end(): void {
    this.turns.unwatch();
    this.#abort.abort(new Error("Ruby was ended"));
  }

  #send(order: () => Uint8Array): void {
    for (const told of this.#told.splice(0)) this.#channel.send(told);
    this.#channel.send(order());
  }

  #onFrame(frame: Frame): void {
    if (frame.kind === REPORTS.release) this.#references.release(frame.number);
    else if (frame.kind === REPORTS.ready) this.#isReady();
    else {
      const fiber = this.#fibers.get(frame.strand);
      if (fiber !== undefined && frame.kind === REPORTS.tick) this.turns.giveWay(fiber);
      fiber?.listener?.(frame);
    }
  }

  async #run(prelude: Promise<unknown>): Promise<void> {
    let reason: unknown;
    try {
      reason = new Error(`Ruby has ended: ${String(await prelude)}`);
    } catch (error) {
      reason = error;
    }
    this.#setEnded(reason);
    this.end();
  }
}

class RubyFiber implements Strand {
  readonly number: number;
  operations = 0;
  listener: ((frame: Frame) => void) | undefined;
  readonly #turns: Turns;
  readonly #send: (order: () => Uint8Array) => void;

  constructor(number: number, turns: Turns, send: (order: () => Uint8Array) => void) {
    this.number = number;
    this.#turns = turns;
    this.#send = send;
  }

  send(order: () => Uint8Array): void {
    const go = (): void => this.#send(() => addressFrame(order(), this.number));
    this.#turns.continue(this, go);
  }
}
