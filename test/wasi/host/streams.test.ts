/** What a program can be given to read from and to write to. */
import assert from "node:assert/strict";
import { PassThrough, Readable, Writable } from "node:stream";
import { describe, it } from "node:test";
import { HostError, MemoryPipe, TextOutput, lines } from "stackful/wasi";
import type { InputSource, OutputTarget } from "stackful/wasi";
import { inputFrom } from "#src/wasi/host/input";
import { outputTo } from "#src/wasi/host/output";
import { processorMs } from "../../processor-time.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function readAll(source: InputSource): Promise<string> {
  const input = inputFrom(source);
  let text = "";
  for (let chunk = await input.read(100); chunk !== null; chunk = await input.read(100)) text += decoder.decode(chunk);
  await input.close?.();
  return text;
}

const webStream = (...chunks: (string | Uint8Array)[]): ReadableStream<string | Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

async function* later(...chunks: string[]): AsyncGenerator<string> {
  for (const chunk of chunks) {
    await new Promise((done) => setImmediate(done));
    yield chunk;
  }
}

function* atOnce(): Generator<string | Uint8Array> {
  yield "one";
  yield encoder.encode("two");
}

describe("Input", () => {
  const sources: readonly (readonly [string, () => InputSource])[] = [
    ["text", () => "onetwo"],
    ["bytes", () => encoder.encode("onetwo")],
    ["a buffer", () => encoder.encode("onetwo").buffer],
    ["a Blob", () => new Blob(["one", "two"])],
    ["an array", () => ["one", encoder.encode("two")]],
    ["a generator", () => atOnce()],
    ["an asynchronous generator", () => later("one", "two")],
    ["a web stream", () => webStream("one", encoder.encode("two"))],
    ["a stream of Node", () => Readable.from([Buffer.from("one"), Buffer.from("two")], { objectMode: false })],
    ["a stream of Node that has text", () => new PassThrough({ encoding: "utf8" }).end("onetwo")],
    ["a stream of one's own", () => inputFrom("onetwo")],
  ];
  for (const [name, make] of sources) {
    it(`may be ${name}`, async () => assert.equal(await readAll(make()), "onetwo"));
  }

  it("is nothing else", () => {
    for (const source of [1, null, {}, () => "text", Symbol("x")]) {
      assert.throws(() => inputFrom(source as never), /Cannot make input/);
    }
    assert.throws(() => inputFrom([1] as never).read(1), /expected bytes or text/);
  });

  it("is there at once where that is possible", () => {
    assert.equal(decoder.decode(inputFrom("x").read(1) as Uint8Array), "x");
    assert.equal(decoder.decode(inputFrom(["x"]).read(1) as Uint8Array), "x");
    const stream = new PassThrough();
    stream.write("x");
    assert.equal(decoder.decode(inputFrom(stream).read(1) as Uint8Array), "x");
  });

  it("tells what a stream has failed with", async () => {
    const error = new HostError("ECONNRESET");
    const failing = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) };
    const stream = new PassThrough();
    const node = inputFrom(stream);
    const read = Promise.resolve(node.read(1));
    stream.destroy(error);
    await assert.rejects(read, error);
    assert.equal(await node.read(1), null);
    await assert.rejects(readAll(failing), error);
    await assert.rejects(readAll(new ReadableStream({ start: (controller) => controller.error(error) })), error);
  });

  it("is ended when nobody reads it any more", async () => {
    const ended: string[] = [];
    const endless = function* endless(): Generator<string> {
      try {
        for (;;) yield "x";
      } finally {
        ended.push("generator");
      }
    };
    const web = new ReadableStream<string>({
      pull: (controller) => controller.enqueue("x"),
      cancel: () => void ended.push("web stream"),
    });
    const node = new PassThrough();
    for (const source of [endless(), web, node]) {
      const input = inputFrom(source);
      void input.read(1);
      await input.close?.();
    }
    assert.deepEqual(ended, ["generator", "web stream"]);
    assert.ok(node.destroyed);
  });

  it("leaves no listeners behind, and is listened to once however many read it", async () => {
    const stream = new PassThrough();
    const inputs = Array.from({ length: 20 }, () => inputFrom(stream));
    const reads = inputs.map((input) => input.read(1));
    assert.equal(stream.listenerCount("readable"), 1);
    stream.end();
    for (const read of reads) assert.equal(await read, null);
    assert.equal(stream.listenerCount("readable"), 0);
    for (const input of inputs) await input.close?.();
    assert.equal(stream.listenerCount("error"), 0);
  });
});

describe("Output", () => {
  async function writeTo(target: OutputTarget, ...texts: string[]): Promise<void> {
    const output = outputTo(target);
    for (const text of texts) await output.write(encoder.encode(text));
    await output.close?.();
  }

  it("may be a function, which is waited for", async () => {
    let text = "";
    const slowly = async (bytes: Uint8Array): Promise<void> => {
      await new Promise((done) => setImmediate(done));
      text += decoder.decode(bytes);
    };
    await writeTo(slowly, "one", "two");
    assert.equal(text, "onetwo");
  });

  it("may be an array", async () => {
    const chunks: Uint8Array[] = [];
    await writeTo(chunks, "one", "two");
    assert.deepEqual(
      chunks.map((chunk) => decoder.decode(chunk)),
      ["one", "two"],
    );
  });

  it("may be a web stream, whose end comes with that of the program", async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const [text] = await Promise.all([readAll(readable), writeTo(writable, "one", "two")]);
    assert.equal(text, "onetwo");
  });

  it("may be a stream of Node", async () => {
    const stream = new PassThrough();
    const [text] = await Promise.all([readAll(stream), writeTo(stream, "one", "two")]);
    assert.equal(text, "onetwo");
  });

  it("waits for room in a stream", async () => {
    const written: (() => void)[] = [];
    const node = new Writable({ highWaterMark: 4, write: (_chunk, _encoding, done) => void written.push(done) });
    const output = outputTo(node);
    assert.equal(output.write(encoder.encode("abc")), undefined);
    const second = output.write(encoder.encode("def"));
    assert.ok(second instanceof Promise);
    written.shift()!();
    await new Promise((done) => setImmediate(done));
    written.shift()!();
    await second;
    const web = new WritableStream({ write: () => new Promise<void>((done) => written.push(done)) });
    const writer = outputTo(web);
    let isWritten = false;
    void Promise.resolve(writer.write(encoder.encode("x"))).then(() => (isWritten = true));
    await new Promise((done) => setImmediate(done));
    assert.equal(isWritten, false);
    written.shift()!();
    await new Promise((done) => setImmediate(done));
    assert.equal(isWritten, true);
  });

  it("tells what a stream has failed with, and does not end the process", async () => {
    const error = new HostError("ENOSPC");
    const node = outputTo(new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => done(error) }));
    await assert.rejects(async () => node.write(encoder.encode("x")), error);
    assert.throws(() => void node.write(encoder.encode("x")), { code: "EPIPE" });
    const web = outputTo(
      new WritableStream({
        write: () => {
          throw error;
        },
      }),
    );
    await assert.rejects(async () => web.write(encoder.encode("x")), error);
  });

  it("may be a stream that somebody else has ended", async () => {
    const stream = new PassThrough();
    stream.resume().end();
    await new Promise((done) => stream.once("finish", done));
    const output = outputTo(stream);
    assert.throws(() => void output.write(encoder.encode("x")), { code: "EPIPE" });
    await output.close!();
  });

  it("is nothing else", () => {
    for (const target of [1, null, "inherited", {}])
      assert.throws(() => outputTo(target as never), /Cannot make output/);
  });
});

describe("lines()", () => {
  it("gives whole lines, also where a character comes in pieces", async () => {
    const found: string[] = [];
    const output = lines((text) => void found.push(text));
    for (const byte of encoder.encode("zwölf €\r\n\nlast 😀")) await output.write(Uint8Array.of(byte));
    assert.deepEqual(found, ["zwölf €", ""]);
    await output.close?.();
    assert.deepEqual(found, ["zwölf €", "", "last 😀"]);
  });

  it("waits for each of them", async () => {
    const found: string[] = [];
    const output = lines(async (text) => {
      await new Promise((done) => setImmediate(done));
      found.push(text);
    });
    await output.write(encoder.encode("one\ntwo\nthree\n"));
    assert.deepEqual(found, ["one", "two", "three"]);
  });

  it("takes a long line in small pieces without going over it again and again", async () => {
    let length = 0;
    const output = lines((text) => {
      length = text.length;
    });
    const start = processorMs();
    for (let index = 0; index < 300_000; index++) await output.write(Uint8Array.of(120));
    await output.write(Uint8Array.of(10));
    assert.equal(length, 300_000);
    assert.ok(processorMs() - start < 5000);
  });
});

describe("lines() of what has no end", () => {
  it("are given in pieces, so that they do not fill the host's memory", async () => {
    let [characters, longest] = [0, 0];
    const output = lines((text) => {
      characters += text.length;
      longest = Math.max(longest, text.length);
    });
    const chunk = encoder.encode("x".repeat(100_000));
    for (let index = 0; index < 100; index++) await output.write(chunk);
    assert.ok(characters > 8_000_000, `${characters} of 10,000,000 were given by now`);
    assert.ok(longest < 1_200_000, `${longest} at once`);
    await output.write(encoder.encode("end\n"));
    assert.equal(characters, 10_000_003);
  });
});

describe("TextOutput", () => {
  it("has what was written by now", () => {
    const output = new TextOutput();
    const bytes = encoder.encode("é!");
    output.write(bytes.subarray(0, 1));
    assert.equal(output.text, "\uFFFD");
    output.write(bytes.subarray(1));
    assert.equal(output.text, "é!");
  });
});

describe("MemoryPipe", () => {
  it("has whoever writes too much wait", async () => {
    const { input, output } = new MemoryPipe();
    assert.equal(output.write(new Uint8Array(65_536)), undefined);
    const write = output.write(new Uint8Array(1));
    assert.ok(write instanceof Promise);
    assert.equal((input.read(1) as Uint8Array).length, 65_536);
    await write;
  });

  it("ends, and breaks", async () => {
    const first = new MemoryPipe();
    void first.output.close?.();
    assert.equal(first.input.read(1), null);
    const second = new MemoryPipe();
    const full = second.output.write(new Uint8Array(100_000));
    void second.input.close?.();
    await assert.rejects(async () => full, { code: "EPIPE" });
    assert.throws(() => void second.output.write(new Uint8Array(1)), { code: "EPIPE" });
  });
});
