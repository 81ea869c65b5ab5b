/** To whom a program may connect. */

interface Rule {
  /** Lower case; `undefined`: any. */
  readonly host: string | undefined;
  /** Whether the host's subdomains are meant, and not itself. */
  readonly isSuffix: boolean;
  /** `undefined`: any. */
  readonly port: number | undefined;
}

/**
 * Reads `HOST:PORT` each: `example.org:443`, `*.example.org:443` for its subdomains, `[::1]:80`, `*` for any host or any port. What a program
 * asks for is compared as text: a name is not looked up, and an address is not another way to write a name.
 */
export class ConnectRules {
  readonly #rules: readonly Rule[];

  /** @throws {TypeError} when one is none */
  constructor(rules: readonly string[]) {
    this.#rules = rules.map(parseRule);
  }

  /** Whether there is a port of `host` to which it may. */
  mayReach(host: string): boolean {
    return this.#rules.some((rule) => matchesHost(rule, host));
  }

  mayConnect(host: string, port: number): boolean {
    return this.#rules.some((rule) => matchesHost(rule, host) && (rule.port ?? port) === port);
  }
}

/** A port, as it is written; `undefined`: it is none. */
export function parsePort(text: string): number | undefined {
  const port = Number(text);
  return /^[1-9]\d{0,4}$/.test(text) && port <= 65_535 ? port : undefined;
}

function parseRule(text: string): Rule {
  const [, host = "", port = ""] = /^(.+):(.+)$/.exec(text) ?? [];
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  const number = port === "*" ? undefined : parsePort(port);
  const isSuffix = bare.startsWith("*.");
  const name = isSuffix ? bare.slice(1) : bare;
  if (name === "" || (name !== "*" && name.includes("*")) || (port !== "*" && number === undefined)) {
    throw new TypeError(`Cannot allow connections to "${text}": expected HOST:PORT, either of which may be *`);
  }
  return { host: name === "*" ? undefined : name, isSuffix, port: number };
}

/**
 * What can be a name. Nothing else is looked up for a rule that leaves a part of it open: there are resolvers that take `127.0.0.1 .example.org`
 * for an address.
 */
const NAME = /^[\w-]+(\.[\w-]+)*$/;

function matchesHost({ host, isSuffix }: Rule, found: string): boolean {
  if (host === undefined) return true;
  const name = found.toLowerCase();
  return isSuffix ? name.endsWith(host) && NAME.test(name) : name === host;
}
