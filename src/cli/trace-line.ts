/** One line for each call of a program, as strace has them: `fd_read(fd: 0, iovs: 1 buffer, 1024 bytes) -> nread: 5 <suspended 200.3 ms>` */

import { inspect } from "node:util";
import type {
  SyscallBuffers,
  SyscallEvent,
  SyscallSubscription,
  SyscallValue,
} from "../wasi/preview1/syscall-event.ts";

const MAX_TEXT = 200;
const NS_PER_MS = 1e6;

/** With a line break at its end. `label` stands before it. */
export function traceLine(event: SyscallEvent, label = ""): string {
  const { name, args, suspendedMs } = event;
  const call = `${label}${name}(${list(args)})`;
  const waited = suspendedMs === 0 ? "" : ` <suspended ${suspendedMs.toFixed(1)} ms>`;
  return `${call} ${outcome(event)}${waited}\n`;
}

function outcome({ errno, results, cause }: SyscallEvent): string {
  if (errno === undefined) return "does not return";
  // Of this one only: others say themselves what is wrong.
  if (errno === "EIO" && cause !== undefined) return `-> EIO (${causeText(cause)})`;
  if (errno !== "ESUCCESS") return `-> ${errno}`;
  const given = list(results);
  return `-> ${given === "" ? "ok" : given}`;
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : inspect(cause, { breakLength: Infinity });
}

function list(values: Readonly<Record<string, SyscallValue>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}: ${valueText(name, value)}`)
    .join(", ");
}

function valueText(name: string, value: SyscallValue): string {
  if (value === null) return "bad pointer";
  if (typeof value === "string") return name.endsWith("path") ? quotedText(value) : value;
  if (typeof value === "bigint") return name.includes("rights") ? `0x${value.toString(16)}` : value.toString();
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) return `[${(value as readonly SyscallSubscription[]).map(subscriptionText).join(", ")}]`;
  const { buffers, bytes } = value as SyscallBuffers;
  return buffers === 1 ? `${bytes} bytes` : `${bytes} bytes in ${buffers} buffers`;
}

function quotedText(text: string): string {
  return JSON.stringify(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);
}

function subscriptionText(subscription: SyscallSubscription): string {
  if (subscription.type !== "clock") return `${subscription.type} ${subscription.fd}`;
  const { clock, timeout, isAbsolute } = subscription;
  return `${clock} ${isAbsolute ? "at" : "in"} ${Number(timeout) / NS_PER_MS} ms`;
}
