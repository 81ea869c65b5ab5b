/** From whatever a guest comes as to an instance of it. */

import { GuestAtomics } from "./atomics/guest-atomics.ts";
import { ATOMICS_MODULE } from "./atomics/waiting-functions.ts";
import { chooseBackend } from "./backends/choose.ts";
import type { BackendName } from "./backends/choose.ts";
import { keepingEdits } from "./backends/kept-edits.ts";
import { openPackedGuest } from "./backends/packaged-guest.ts";
import type { AnyExports } from "./link/exports.ts";
import { STACK_OPTIONS, requireOneOf, requireOptions } from "./link/check-options.ts";
import type { OptionNames } from "./link/check-options.ts";
import { GuestModule, precisionOf, prepareModule, wrapModule } from "./link/guest-module.ts";
import type { Interruption, CompileOptions as PrepareOptions } from "./link/guest-module.ts";
import type { FuelTank } from "./link/fuel-tank.ts";
import type { HostImports } from "./link/imports.ts";
import { Instance } from "./link/instance.ts";
import { Meter } from "./link/meter.ts";
import { MeteredGuest } from "./link/metered-guest.ts";
import { START } from "./link/prepare.ts";
import type { StackOptions } from "./link/stacks.ts";
import { readFileUrl } from "./platform/read-file-url.ts";
import { COUNTER, REFUEL_MODULE, REFUEL_NAME } from "./preemption/counter.ts";
import type { ModuleCache } from "./transform/module-cache.ts";

/** A guest: its bytes, a `Response` with them, where to fetch them, what was compiled from them, or a promise of one of these. */
export type GuestSource = BufferSource | Response | URL | WebAssembly.Module | GuestModule;

export interface CompileOptions extends PrepareOptions {
  /** Which backend runs the guest; `"auto"` when left out: the first that this runtime has and that can do what is asked for. */
  readonly backend?: BackendName | "auto" | undefined;
  /** Whether its coroutines have to be resumed on the stack of the caller: {@link Coroutine.resume}, `for … of`. */
  readonly syncResume?: boolean | undefined;
  /**
   * Where is kept what was made of guests: what `moduleCache()` gives, anything like it, or `false` for nowhere. When left out, what backend
   * `transform` has made is kept in the memory of this process, at most 32 MiB.
   */
  readonly cache?: ModuleCache | false | undefined;
}

export interface InstantiateOptions extends CompileOptions {
  /**
   * Calls of this instance that may be in flight, suspended coroutines included; further ones wait in the order in which they were made.
   * On backend `jspi` all guests together may have 10,000, or as many as this says if that is more; 15,000 at most: engines abort the
   * process near 32,000.
   */
  readonly maxLive?: number | undefined;
  /** Stacks for overlapping calls, in the guest's memory. */
  readonly stacks?: StackOptions | undefined;
}

/**
 * Compiles a guest, to be instantiated any number of times. Its instances run on the backend that was asked for here, unless they ask
 * for another.
 *
 * ```ts
 * const module = await compile(bytes, { syncResume: true });
 * const instances = [await instantiate(module, imports), await instantiate(module, imports)];
 * ```
 *
 * A `WebAssembly.Module` of which this library has not seen the bytes can be used, but its calls wait for each other.
 *
 * @throws {WebAssembly.CompileError} when the bytes are no module
 * @throws {TypeError} when the source is none of the possible things, or was compiled with other options
 */
export async function compile(
  source: GuestSource | Promise<GuestSource>,
  options: CompileOptions = {},
): Promise<GuestModule> {
  checkOptions("compile guest", options, COMPILE_OPTIONS);
  const module = await moduleOf(source, options);
  await backendFor(module, options).prepare(module, options.cache);
  const { backend, syncResume } = options;
  if (backend !== undefined || syncResume !== undefined) compiledFor.set(module, { backend, syncResume });
  return module;
}

/** What was asked for when a guest was compiled. */
const compiledFor = new WeakMap<GuestModule, Pick<CompileOptions, "backend" | "syncResume">>();

const COMPILE_OPTIONS: OptionNames<CompileOptions> = {
  backend: true,
  syncResume: true,
  cache: true,
  overlap: true,
  stackChecks: true,
  atomicWaits: true,
  interruptible: true,
  maxMemoryBytes: true,
};
const INSTANTIATE_OPTIONS: OptionNames<InstantiateOptions> = { ...COMPILE_OPTIONS, maxLive: true, stacks: true };
const INTERRUPTION: OptionNames<Interruption> = { sliceMs: true, fuel: true };

/** @throws {TypeError} when an option is unknown, or is not what it can be */
function checkOptions(action: string, options: InstantiateOptions, names: Readonly<Record<string, true>>): void {
  requireOptions(action, options, names);
  const { syncResume, overlap, stackChecks, atomicWaits, interruptible, cache, stacks } = options;
  requireOneOf(action, "syncResume", syncResume, [true, false]);
  requireOneOf(action, "overlap", overlap, ["allow", "queue"]);
  requireOneOf(action, "stackChecks", stackChecks, [true, false]);
  requireOneOf(action, "atomicWaits", atomicWaits, ["suspend", "block"]);
  if (typeof interruptible === "object") requireOptions(`${action} as interruptible`, interruptible, INTERRUPTION);
  else requireOneOf(action, "interruptible", interruptible, [true, false]);
  if (stacks !== undefined) requireOptions(`${action} with these stacks`, stacks, STACK_OPTIONS);
  if (cache === undefined || cache === false) return;
  const { get, set } = Object(cache) as Partial<ModuleCache>;
  if (typeof get === "function" && typeof set === "function") return;
  throw new TypeError(`Cannot ${action}: cache must be what moduleCache() gives, or have get() and set(), or be false`);
}

async function moduleOf(source: GuestSource | Promise<GuestSource>, options: CompileOptions): Promise<GuestModule> {
  // Not awaited without need: the bytes are those of now, whatever the caller does with its buffer afterwards.
  const guest = source instanceof Promise ? await source : source;
  if (guest instanceof GuestModule) return sameOptions(guest, options);
  if (guest instanceof WebAssembly.Module) {
    const edit = editOf(options);
    if (edit === undefined) return wrapModule(guest, options);
    throw new TypeError(`Cannot ${edit}: its bytes are needed, received a WebAssembly.Module`);
  }
  const bytes = await bytesOf(guest);
  const packed = openPackedGuest(bytes);
  return packed ? sameOptions(packed, options) : prepareModule(bytes, options, keepingEdits(options.cache));
}

/** What is asked for that cannot be done to a module without its bytes. */
function editOf(options: PrepareOptions): string | undefined {
  if (precisionOf(options) !== undefined) return "make guest interruptible";
  return options.maxMemoryBytes === undefined ? undefined : "limit memory of guest";
}

function backendFor(module: GuestModule, options: InstantiateOptions): ReturnType<typeof chooseBackend> {
  const { prepared } = module;
  const { maxLive } = options;
  const isAsked = options.backend !== undefined || options.syncResume !== undefined;
  const { backend, syncResume } = isAsked ? options : (compiledFor.get(module) ?? options);
  // Whoever names a backend is told by it what it cannot do.
  const isFree = backend === undefined || backend === "auto";
  return chooseBackend(backend, {
    syncResume,
    maxLive: isFree ? maxLive : undefined,
    hasBytes: prepared !== undefined,
  });
}

/**
 * Like `WebAssembly.instantiate`, for guests whose imports may take their time. An imported function may return a value, a promise
 * (the guest's call returns when it has settled; its rejection is an exception in the guest) or {@link suspend}`(value)`.
 *
 * ```ts
 * import { instantiate } from "stackful";
 *
 * const { exports } = await instantiate(bytes, { host: { sleep: (ms: number) => new Promise((done) => setTimeout(done, ms)) } });
 * await exports.run();
 * ```
 *
 * The start function may wait, too: the promise fulfils when it has ended.
 *
 * @throws {WebAssembly.CompileError} when the bytes are no module
 * @throws {WebAssembly.LinkError} when an import is missing or of the wrong kind
 * @throws {BackendUnavailableError} when this runtime has no backend for it
 */
export async function instantiate<Exports extends object = AnyExports>(
  source: GuestSource | Promise<GuestSource>,
  imports: HostImports | object = {},
  options: InstantiateOptions = {},
): Promise<Instance<Exports>> {
  checkOptions("instantiate guest", options, INSTANTIATE_OPTIONS);
  // What cannot be had need not be fetched first.
  chooseBackend(options.backend);
  const module = await moduleOf(source, options);
  const backend = backendFor(module, options);
  // Looked up one by one when it is linked: what is missing or of the wrong kind is an error then.
  const host = requireObject(imports) as HostImports;
  await backend.prepare(module, options.cache);
  return link<Exports>(module, host, { backend, options });
}

async function link<Exports extends object>(
  module: GuestModule,
  host: HostImports,
  parts: { readonly backend: ReturnType<typeof chooseBackend>; readonly options: InstantiateOptions },
  mainThread?: { readonly tank: FuelTank | undefined },
): Promise<Instance<Exports>> {
  const { backend, options } = parts;
  const { maxLive, stacks = {} } = options;
  const sync = Object.create(null) as Record<string, unknown>;
  const meter = meterFor(module, options, mainThread?.tank);
  const atomics = module.imports.some((entry) => entry.module === ATOMICS_MODULE) ? new GuestAtomics() : undefined;
  const guest = await backend.link(module, withOwn(host, { meter, atomics }), {
    maxLive,
    stacks,
    exports: sync,
    isThread: mainThread !== undefined,
  });
  meter?.attach({ counter: guest.raw.exports[COUNTER] as WebAssembly.Global, guest: guest.stacks.guest });
  const linked = meter?.fuel === undefined ? guest : new MeteredGuest(guest, meter);
  const again = (): Promise<Instance<Exports>> => link<Exports>(module, host, parts, { tank: meter?.tank });
  const instance = new Instance<Exports>(module, linked, { sync, meter, again });
  atomics?.attach(guest.raw, instance);
  if (linked.raw.exports[START] !== undefined) await linked.call(START, []);
  return instance;
}

/** What the guest asks when its counter has run out; `undefined` if it has none. */
function meterFor(
  { options }: GuestModule,
  { interruptible }: PrepareOptions,
  tank: FuelTank | undefined,
): Meter | undefined {
  if (precisionOf(options) === undefined) return undefined;
  const given = [options.interruptible, interruptible].filter((option) => typeof option === "object");
  return new Meter(Object.assign({}, ...given) as Interruption, tank);
}

/** What the host offers, and what the library does for what it has added to the guest. */
function withOwn(imports: HostImports, { meter, atomics }: OwnImports): HostImports {
  if (meter === undefined && atomics === undefined) return imports;
  // Whatever kind of object the imports are, they are looked up there.
  return Object.create(imports, {
    ...(meter && { [REFUEL_MODULE]: { value: { [REFUEL_NAME]: meter.refuel } } }),
    ...(atomics && { [ATOMICS_MODULE]: { value: atomics.imports } }),
  }) as HostImports;
}

interface OwnImports {
  readonly meter: Meter | undefined;
  readonly atomics: GuestAtomics | undefined;
}

function requireObject(imports: object): object {
  if (typeof imports === "object" && imports !== null) return imports;
  throw new TypeError(`Cannot link guest: expected an object with its imports, received ${describe(imports)}`);
}

/** What a guest is compiled with. */
const UNLESS_GIVEN = {
  overlap: "allow",
  stackChecks: true,
  atomicWaits: "suspend",
  interruptible: undefined,
  maxMemoryBytes: undefined,
} as const satisfies PrepareOptions;

/** How a guest is when these are its options. */
function settled(name: keyof typeof UNLESS_GIVEN, options: PrepareOptions): unknown {
  return name === "interruptible" ? precisionOf(options) : (options[name] ?? UNLESS_GIVEN[name]);
}

/** A compiled guest is what it was compiled to be. */
function sameOptions(module: GuestModule, wanted: PrepareOptions): GuestModule {
  const { options } = module;
  const differing = (Object.keys(UNLESS_GIVEN) as (keyof typeof UNLESS_GIVEN)[]).find((name) => {
    const asked = wanted[name];
    return asked !== undefined && settled(name, wanted) !== settled(name, options);
  });
  if (differing === undefined) return module;
  throw new TypeError(
    `Cannot change the option ${differing} of a compiled guest: give it to compile(), or to stackful transform`,
  );
}

/** @internal The bytes that a guest comes in. */
export async function bytesOf(source: BufferSource | Response | URL): Promise<Uint8Array<ArrayBuffer>> {
  if (source instanceof URL) return readUrl(source);
  if (typeof Response === "function" && source instanceof Response) {
    if (!source.ok)
      throw new TypeError(`Cannot compile guest: the response for ${source.url || "it"} has status ${source.status}`);
    return new Uint8Array(await source.arrayBuffer());
  }
  // Copied, as the JavaScript API does it: the caller may change or transfer its buffer meanwhile.
  if (source instanceof ArrayBuffer) return new Uint8Array(source.slice(0));
  if (ArrayBuffer.isView(source))
    return Uint8Array.from(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
  throw new TypeError(
    `Cannot compile guest: expected bytes, a Response, a URL, a WebAssembly.Module or a promise of one, received ${describe(source)}`,
  );
}

async function readUrl(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol !== "file:") return bytesOf(await fetch(url));
  // Where there is no file system, fetch says what it thinks of them.
  return (await readFileUrl(url)) ?? bytesOf(await fetch(url));
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return `the string ${JSON.stringify(value)}`;
  if (typeof value !== "object") return `a ${typeof value}`;
  return value.constructor?.name ?? "an object";
}
