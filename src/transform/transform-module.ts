/**
 * Makes a module suspendable, on any engine and without its help: WebAssembly in, WebAssembly out.
 *
 *     decode ─▶ call-graph: which functions may suspend
 *            ─▶ lower-exceptions or move-catch-blocks, for modules that may suspend in a legacy catch block
 *            ─▶ for each of them, in turn
 *                 analysis    sites, regions, types of operands         (operations, function-shape, operand-stack)
 *                 homes       where operands below a site are kept
 *                 liveness    which locals a frame has to hold          (frame-layout)
 *                 fast-copy   replaces the function in the first module
 *                 resume-copy continues a frame; second module          (only when a frame of it is continued)
 *                 loop-entries where it goes on in a loop; second module, with near-copies of what it calls there
 *            ─▶ first-module: with the runtime (stack-areas, frame-functions, reference-tables) and the exports of abi.ts
 *            ─▶ resume-module
 *
 * suspendable-instance.ts shows how the two are used.
 */

import { decodeModule } from "../binary/decode-module.ts";
import type { FunctionBuilder } from "../binary/definitions.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { functionType, importedFunctions } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { ModuleNames } from "../binary/names.ts";
import { opcodeName } from "../binary/opcodes.ts";
import { I32, valueTypeName } from "../binary/value-types.ts";
import { AbiExports, ABI, typeUnknownToJavaScript } from "./abi.ts";
import { FunctionAnalysis } from "./analysis.ts";
import { findSuspendable } from "./call-graph.ts";
import type { CallGraph } from "./call-graph.ts";
import type { SuspendableCalls } from "./calls.ts";
import { FastCopy } from "./fast-copy.ts";
import type { FunctionPlan } from "./fast-copy.ts";
import { FirstModule } from "./first-module.ts";
import { FrameDisposal } from "./frame-disposal.ts";
import { FrameFunctions, isWide } from "./frame-functions.ts";
import { layOutFrame } from "./frame-layout.ts";
import type { FunctionShape } from "./function-shape.ts";
import { addRefuse } from "./guard.ts";
import { findHomes } from "./homes.ts";
import { definedMemories } from "./imported-memories.ts";
import { Liveness } from "./liveness.ts";
import {
  LARGE_BODY_BYTES,
  checkBody,
  checkFunction,
  checkImport,
  checkModule,
  checkNames,
  checkValid,
  hasRoom,
} from "./limits.ts";
import { findLoopEntries } from "./loop-entries.ts";
import { hasTryTable, lowerExceptions, suspendsInLegacyCatch } from "./lower-exceptions.ts";
import { moveCatchBlocks } from "./move-catch-blocks.ts";
import * as op from "./operations.ts";
import { Operations } from "./operations.ts";
import { ReferenceTables } from "./reference-tables.ts";
import { Progress } from "./progress.ts";
import type { TellProgress } from "./progress.ts";
import { TransformError } from "./refusal.ts";
import type { Refuse } from "./refusal.ts";
import { findCauses, makeReport } from "./report.ts";
import type { TransformReport } from "./report.ts";
import { IS_LOOP_COPY, NO_LOOPS, ResumeCopy } from "./resume-copy.ts";
import type { CopyKind } from "./resume-copy.ts";
import { ResumeModuleParts, assembleResumeModule } from "./resume-module.ts";
import type { ResumeBody } from "./resume-module.ts";
import { ResultGlobals } from "./runtime-globals.ts";
import { chooseRuntimeHome, hasMultiMemory } from "./runtime-home.ts";
import type { RuntimeHome } from "./runtime-home.ts";
import { hintsOfSmallFunctions } from "./check-hints.ts";
import { MAX_NEAR_COPIES, SMALL_BODY_BYTES } from "./near-copies.ts";
import { OutlinedInstructions } from "./outlined-instructions.ts";
import { SiteWriter } from "./site-writer.ts";
import { addRuntime } from "./stack-areas.ts";
import type { TransformedModule } from "./transformed-module.ts";

export interface TransformOptions {
  /**
   * Which imported functions may suspend. When left out, all that JavaScript can be: not those with a v128 or an exception
   * in their type, which an engine refuses to call a JavaScript function with.
   */
  readonly imports?: (module: string, name: string) => boolean;
  /** Whether the modules may use more than one memory; found out when left out. */
  readonly multiMemory?: boolean;
  /**
   * Whether the modules may use `try_table`; found out when left out. Without, what was caught in a catch block that
   * suspends is thrown again by the host, or as a new exception with the same tag and values.
   */
  readonly tryTable?: boolean;
  /**
   * Functions of the guest that never suspend, whatever they call: by index, and name if they have one. A suspension that
   * comes to one all the same is an ExcludedFunctionError.
   */
  readonly exclude?: (index: number, name: string | undefined) => boolean;
  /** Is called now and then with the bytes of code that are done, and all of them; for each of the two modules. */
  readonly onProgress?: TellProgress;
}

/** What {@link transformModule} returns. */
export interface Transformation extends TransformedModule {
  readonly report: TransformReport;
}

/**
 * @throws {WebAssembly.CompileError} when the bytes are not a WebAssembly module
 * @throws {TransformError} when something in it cannot be made suspendable
 */
export function transformModule(input: Uint8Array | BinaryModule, options: TransformOptions = {}): Transformation {
  const started = performance.now();
  const given = input instanceof Uint8Array ? decodeModule(input) : input;
  const { bytes } = given;
  checkValid(bytes);
  checkNames(given);
  const names = new ModuleNames(given);
  const entries = importedFunctions(given);
  const isImportSelected = (index: number): boolean => isSelected(entries[index]!, options);
  // What lowering adds never suspends.
  const isExcluded = (index: number): boolean =>
    index >= given.functions.length || (options.exclude?.(index, names.name("function", index)) ?? false);
  const refuse: Refuse = (index, opcodeNumber, reason) => {
    throw new TransformError(names.describeFunction(index), opcodeName(opcodeNumber), reason);
  };
  let graph = findSuspendable(given, isImportSelected, isExcluded);
  let module = given;
  let hostTable: number | null = null;
  const mayTryTable = options.tryTable ?? hasTryTable();
  const mayNeedLowering = graph.usesLegacyCatch && !graph.usesTryTable;
  if (mayNeedLowering && suspendsInLegacyCatch(given, graph.calls)) {
    if (mayTryTable) module = lowerExceptions(given);
    else ({ module, hostTable } = moveCatchBlocks(given, graph.calls));
    graph = findSuspendable(module, isImportSelected, isExcluded);
  }
  // An exnref anywhere, in a type perhaps, makes the legacy form impossible.
  if (!graph.usesTry && mayTryTable) graph = { ...graph, usesTryTable: true };
  const { calls, suspendingImports } = graph;
  const compiler = new ModuleCompiler(module, graph, refuse, {
    multiMemory: options.multiMemory ?? hasMultiMemory(),
    hostTable,
  });
  const { main, runtime } = compiler.compile(options.onProgress);
  const counts = { ...compiler.counts(), bytesBefore: bytes.length, bytesAfter: main.length };
  let resume: Uint8Array<ArrayBuffer> | undefined;
  return {
    main,
    runtime,
    ownMemories: runtime === null ? definedMemories(module) : new Map(),
    resume: () => (resume ??= compiler.compileResumeModule(undefined, options.onProgress)),
    resumeSome: (numbers) => ({ numbers, bytes: compiler.compileResumeModule(numbers) }),
    module,
    calls,
    withFrames: compiler.withFrames,
    asksForExceptions: hostTable !== null,
    report: makeReport({ ...counts, milliseconds: performance.now() - started }, () =>
      findCauses(module, suspendingImports, isExcluded),
    ),
  };
}

/** @throws {TransformError} when it is asked for and JavaScript cannot be what it is */
function isSelected(
  { module, name, type }: { module: string; name: string; type: FunctionType },
  { imports }: TransformOptions,
): boolean {
  if (imports && !imports(module, name)) return false;
  const unknown = typeUnknownToJavaScript(type);
  if (unknown === undefined) checkImport(`${module}.${name}`, type);
  if (!imports || unknown === undefined) return unknown === undefined;
  throw new TransformError(
    `import ${module}.${name}`,
    valueTypeName(unknown),
    "JavaScript can neither give nor take it",
  );
}

interface ModuleLayout {
  readonly multiMemory: boolean;
  /** Index of the table for functions of the host, if there is one. */
  readonly hostTable: number | null;
}

/** Compiles the functions of one module: once to fast copies, later perhaps to resume copies. */
class ModuleCompiler {
  readonly #module: BinaryModule;
  readonly #graph: CallGraph;
  readonly #calls: SuspendableCalls;
  readonly #first: FirstModule;
  readonly #operations = new Operations();
  readonly #refuse: Refuse;
  readonly #analysis: FunctionAnalysis;
  readonly #home: RuntimeHome;
  readonly #results: ResultGlobals;
  readonly #sites: SiteWriter;
  readonly #outlined: OutlinedInstructions;
  readonly #references: ReferenceTables;
  readonly #disposal: FrameDisposal;
  readonly #frames: FrameFunctions;
  readonly #abi: AbiExports;
  /** Ends the run when it came to a suspension below an excluded function. */
  readonly #guard: number;
  readonly #hostTable: number | null;
  readonly #emitResume: (builder: FunctionBuilder) => void;
  /** Functions with frames, by the number of their resume copy. */
  readonly withFrames: number[] = [];
  /** Functions that save the frames of functions that may get near copies. */
  readonly #savesOfSmall = new Set<number>();
  /** Functions that resume copies use `ref.func` on. */
  readonly #takenReferences = new Set<number>();
  #siteCount = 0;

  constructor(module: BinaryModule, graph: CallGraph, refuse: Refuse, { multiMemory, hostTable }: ModuleLayout) {
    this.#module = module;
    this.#graph = graph;
    this.#hostTable = hostTable;
    this.#refuse = refuse;
    this.#calls = graph.calls;
    const first = new FirstModule(module);
    this.#first = first;
    this.#analysis = new FunctionAnalysis(module, graph.calls, this.#operations, refuse);
    const home = chooseRuntimeHome(first, this.#suspendable(), multiMemory);
    this.#home = home;
    this.#results = new ResultGlobals(first);
    this.#sites = new SiteWriter(first, home.firstGlobals.state, graph.usesTryTable);
    this.#outlined = new OutlinedInstructions(first, this.#results);
    this.#disposal = new FrameDisposal(home);
    const runtime = addRuntime(home, this.#disposal.forget);
    this.#references = new ReferenceTables(home, runtime);
    this.#frames = new FrameFunctions(home, runtime.grow, this.#references);
    this.#guard = addRefuse(home, runtime.fail);
    const resume = home.callable(runtime.resume, { params: [I32], results: [I32] });
    this.#emitResume = home.hasGuestTypes ? runtime.emitResume : ({ code }): void => void code.localGet(0).call(resume);
    this.#abi = new AbiExports(first, this.#results);
    this.#abi.addFixed(runtime, home);
  }

  /** The first module, and that of the runtime. */
  compile(onProgress?: TellProgress): {
    main: Uint8Array<ArrayBuffer>;
    runtime: Uint8Array<ArrayBuffer> | null;
  } {
    const module = this.#module;
    const { functions } = this.#calls;
    const copy = new FastCopy(module.bytes, this.#operations, this.#sites, this.#frames);
    const progress = new Progress(module, onProgress);
    this.#guardExcluded(copy);
    for (let index = module.importedFunctions; index < functions.length; index++) {
      progress.reached(index);
      const plan = functions[index] === 1 ? this.#plan(index, this.withFrames.length) : null;
      if (!plan) continue;
      this.withFrames.push(index);
      this.#siteCount += plan.shape.sites.length;
      this.#disposal.add(plan.frame.layout, this.#references);
      this.#prepareResume(plan.shape);
      const body = copy.write(plan);
      const hints = hintsOfSmallFunctions(module, { index, body }, this.#home.firstGlobals.state);
      this.#first.replaceBody(index, body, hints);
      if (body.length <= SMALL_BODY_BYTES && plan.frame.save >= 0) this.#savesOfSmall.add(plan.frame.save);
      if (body.length > LARGE_BODY_BYTES) this.#checkCopies(plan, body.length);
    }
    for (const index of this.#graph.suspendingImports) {
      this.#abi.addResume(functionType(module, index), this.#emitResume);
    }
    for (const index of this.#entries()) if (functions[index] === 1) this.#abi.addResults(functionType(module, index));
    if (this.#sites.tag !== undefined) this.#first.export(ABI.unwind, "tag", this.#sites.tag);
    if (this.#hostTable !== null) this.#first.export(ABI.hostFunctions, "table", this.#hostTable);
    this.#moveStart();
    this.#disposal.finish();
    const runtime = this.#home.finish();
    this.#first.share(this.#functionsOfResumeCopies());
    checkModule(this.#first, this.withFrames.length);
    return { main: this.#first.build(), runtime };
  }

  /** The resume copy is made later; whether it can be has to be known now. */
  #checkCopies(plan: FunctionPlan, fastBytes: number): void {
    const { index } = plan.shape;
    const resumeBytes = this.#resumeCopy(this.#resumeParts(), plan, NO_LOOPS).length;
    // Some indices get longer while more is added.
    checkBody(index, Math.max(fastBytes, Math.ceil(resumeBytes * 1.05)), this.#refuse);
  }

  #resumeParts(): ResumeModuleParts {
    return new ResumeModuleParts(this.#first, {
      globals: this.#home.firstGlobals,
      results: this.#results,
      outlined: this.#outlined,
      sites: this.#sites,
    });
  }

  #resumeCopy(parts: ResumeModuleParts, plan: FunctionPlan, kind: CopyKind): Uint8Array<ArrayBuffer> {
    return new ResumeCopy(this.#operations, parts, plan, kind).write(this.#frames);
  }

  #guardExcluded(copy: FastCopy): void {
    for (const index of this.#calls.guarded) {
      const shape = this.#analysis.analyze(index, true);
      if (shape) this.#first.replaceBody(index, copy.writeGuarded(shape, this.#guard));
    }
  }

  /** The functions that the host can call. */
  *#entries(): Generator<number> {
    const { exports, functions } = this.#module;
    if (this.#graph.sharesTable) yield* functions.keys();
    else for (const { kind, index } of exports) if (kind === "function") yield index;
  }

  /** What the second module may call, or take the reference of. */
  #functionsOfResumeCopies(): Set<number> {
    const withFrames = new Set(this.withFrames);
    const used = new Set([...this.#frames.indices(), ...this.#outlined.indices(), ...this.#takenReferences]);
    for (const save of this.#savesOfSmall) used.add(save);
    for (const [index, callers] of this.#graph.callersOf) {
      if (callers.some((caller) => withFrames.has(caller))) used.add(index);
    }
    return used;
  }

  /** The resume copies with these numbers; of all functions when left out. */
  compileResumeModule(
    numbers: readonly number[] = [...this.withFrames.keys()],
    onProgress?: TellProgress,
  ): Uint8Array<ArrayBuffer> {
    const progress = new Progress(this.#module, onProgress);
    const parts = this.#resumeParts();
    const hasLoopCopies = hasRoom(this.#first, this.withFrames.length, MAX_NEAR_COPIES);
    const loopCopies: ResumeBody[] = [];
    const resumeCopies = numbers.map((resumeIndex): ResumeBody => {
      const functionIndex = this.withFrames[resumeIndex]!;
      progress.reached(functionIndex);
      const plan = this.#plan(functionIndex, resumeIndex)!;
      const entries = hasLoopCopies ? findLoopEntries(plan, this.#frames) : null;
      const loopCopy = parts.raise + 1 + numbers.length + loopCopies.length;
      if (entries) {
        const bytes = this.#resumeCopy(parts, plan, { entries, loopCopy: IS_LOOP_COPY });
        loopCopies.push({ functionIndex, resumeIndex, bytes });
      }
      return { functionIndex, resumeIndex, bytes: this.#resumeCopy(parts, plan, { entries, loopCopy }) };
    });
    return assembleResumeModule(this.#first, parts, { resumeCopies, loopCopies }, this.#home.firstResumeTable);
  }

  counts(): Pick<TransformReport, "functions" | "suspendable" | "withFrames" | "sites"> {
    return {
      functions: this.#calls.functions.length - this.#module.importedFunctions,
      suspendable: this.#suspendable(),
      withFrames: this.withFrames.length,
      sites: this.#siteCount,
    };
  }

  #suspendable(): number {
    return this.#calls.functions.subarray(this.#module.importedFunctions).reduce((total, may) => total + may, 0);
  }

  /** Null when the function needs no change. The operations are those of this function then. */
  #plan(functionIndex: number, resumeIndex: number): FunctionPlan | null {
    const shape = this.#analysis.analyze(functionIndex);
    if (!shape) return null;
    const homes = findHomes(shape, this.#operations);
    const liveness = new Liveness(this.#module.bytes, shape, this.#operations, homes);
    const saved = liveness.savedLocals();
    checkFunction(shape, homes, this.#refuse);
    const layout = layOutFrame(saved, homes.locals);
    if (isWide(layout) && !this.#home.hasGuestTypes) {
      this.#refuse(functionIndex, op.CALL_OPCODE, `the function has ${saved.length} values to save`);
    }
    const save = this.#frames.saveFunction(layout);
    return { shape, homes, liveness, frame: { layout, resumeIndex, hasHandlers: shape.hasHandlers, save } };
  }

  /** Adds to the first module what the resume copy will need of it. */
  #prepareResume(shape: FunctionShape): void {
    this.#results.for(shape.type.results);
    for (const { results } of shape.sites) this.#results.for(results);
    for (let index = 0; index < this.#operations.length; index++) {
      const kind = this.#operations.kind[index];
      if (kind === op.REF_FUNC) this.#takenReferences.add(this.#operations.argument[index]!);
      if (kind === op.SEGMENT || kind === op.OUTLINED_CALL) this.#outlined.for(shape, index, this.#operations);
    }
  }

  /** A start function cannot be suspended, nor have functions of the host in a table: whoever instantiates the module calls it. */
  #moveStart(): void {
    const { start } = this.#module;
    if (start === null || (this.#calls.functions[start] === 0 && this.#hostTable === null)) return;
    this.#first.removeStart();
    this.#first.export(ABI.start, "function", start);
    this.#abi.addResults(functionType(this.#module, start));
  }
}
