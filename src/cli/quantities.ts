/** Reads what options take as values: times, sizes, numbers, addresses. */

import { UsageError } from "./command.ts";

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };
const BYTES: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `option`: as in the help, for messages. */
function invalid(value: string, option: string, expected: string): UsageError {
  return new UsageError(`invalid value '${value}' for '${option}': expected ${expected}`);
}

/** Milliseconds: `5s`, `200ms`, `1.5m`, `2h`; a number without a unit is seconds. */
export function parseDuration(value: string, option: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?$/.exec(value) ?? [];
  const milliseconds = Number(number) * MS[unit]!;
  if (number === undefined || milliseconds === 0) throw invalid(value, option, "a time such as 5s, 200ms or 1m");
  return milliseconds;
}

/** Bytes: `256M`, `64KiB`, `1g`, `65536`. */
export function parseBytes(value: string, option: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?$/i.exec(value) ?? [];
  if (number === undefined) throw invalid(value, option, "a size such as 256M, 64K or 1G");
  return Math.floor(Number(number) * (unit === undefined ? 1 : BYTES[unit.toLowerCase()]!));
}

/** A whole number from `minimum` on: `1000`, `1_000`, `1,000`. */
export function parseCount(value: string, option: string, minimum = 1): number {
  const count = /^\d[\d_,]*$/.test(value) ? Number(value.replace(/[_,]/g, "")) : Number.NaN;
  if (Number.isSafeInteger(count) && count >= minimum) return count;
  throw invalid(value, option, `a whole number from ${minimum} on`);
}

export interface HostAndPort {
  /** Without brackets around an IPv6 address. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

const MAX_PORT = 65_535;

/** `127.0.0.1:8080`, `[::1]:80`, `localhost:0`. */
export function parseAddress(value: string, option: string): HostAndPort {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d+)$/.exec(value) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) <= MAX_PORT) return { host, port: Number(port) };
  throw invalid(value, option, "host:port, such as 127.0.0.1:8080");
}

/** As {@link parseAddress} reads it. */
export function addressText({ host, port }: HostAndPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
