/** Moves what it is given, or takes it. */
import type { MessagePort } from "node:worker_threads";
import { host, transfer } from "stackful/blocking";
import type { Yielder } from "stackful/blocking";
import type { Host } from "../transfer.test.ts";

/** Moves the bytes to where they have come from. */
export function giveBack(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  return transfer(bytes, [bytes.buffer]);
}

export async function giveBackLater(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return transfer(bytes, [bytes.buffer]);
}

/** Says something through a port that was moved here. */
export function speak(port: MessagePort, text: string): void {
  port.postMessage(text);
  port.close();
}

/** Moves bytes to the host, which moves its answer here. @returns lengths: of what is left here, and of what has come */
export function moveToHost(): number[] {
  const bytes = new Uint8Array(100_000);
  const answer = host<Host>().take(transfer(bytes, [bytes.buffer]));
  return [bytes.length, answer.length];
}

export function ask(value: unknown): unknown {
  return host<Host>().echo(value);
}

export function join(first: Uint8Array, second: Uint8Array): string {
  return `${[...first, ...second].join()} of ${first.buffer === second.buffer ? "one buffer" : "two buffers"}`;
}

/** Asks the host when somebody wants to know what bytes they are. */
class AskingBytes extends Uint8Array {
  override get buffer(): ArrayBuffer {
    host<Host>().echo("what bytes");
    return super.buffer;
  }
}

export function askWithViewThatAsks(): number {
  return (host<Host>().echo(new AskingBytes(100_000)) as Uint8Array).length;
}

/** The argument's second property asks the host while it is being written. */
export function askInGetter(size: number): unknown {
  const { echo } = host<Host>();
  const value = {
    first: "x".repeat(size),
    get second(): unknown {
      return echo(["from the getter", new Uint8Array(size)]);
    },
    third: 3,
  };
  return echo(value);
}

export function suspendWith(yielder: Yielder<Uint8Array, Uint8Array>, bytes: Uint8Array<ArrayBuffer>): number[] {
  const came = yielder.suspend(transfer(bytes, [bytes.buffer]));
  return [bytes.length, came.length];
}
