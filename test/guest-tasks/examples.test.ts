/** The examples in C print what their last comment says, on every backend. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { Channel } from "stackful/tasks";
import { MemoryNetwork, TextOutput } from "stackful/wasi";
import { check } from "../tasks/harness.ts";
import { TaskProgram, onBackends } from "./programs.ts";

const folder = "examples/c";
const sources = readdirSync(folder).filter((file) => file.endsWith(".c"));

const MAX_LINES = 40;

/** The program, and what it says that it prints. */
function parts(source: string): { program: string; output: string | undefined } {
  const text = readFileSync(`${folder}/${source}`, "utf8");
  const [, program = text, output] = /^([^]*)\/\* Output:\n([^]*)\*\/\n$/.exec(text) ?? [];
  return { program, output };
}

describe("Examples in C", () => {
  it("are there", () => assert.notEqual(sources.length, 0));

  for (const source of sources) {
    const name = source.replace(/\.c$/, "");
    const { program, output } = parts(source);

    it(`${source} is short`, () => {
      const lines = program.split("\n").length - 1;
      assert.ok(lines <= MAX_LINES, `${lines} lines without the output, at most ${MAX_LINES}`);
    });

    if (output === undefined || output === "") continue;
    onBackends(`${source} prints its output`, async (backend) => {
      const example = await TaskProgram.make(name, backend);
      assert.equal(await example.start(), 0);
      assert.equal(example.output.text, output);
    });
  }

  onBackends("host_channel.c receives what the host sends", async (backend) => {
    const numbers = new Channel<Uint8Array>({ capacity: 8 });
    const example = await TaskProgram.make("host_channel", backend, [], { tasks: { channels: { numbers } } });
    const end = example.start();
    for (const number of [1, 2, 3]) await numbers.send(new Uint8Array(Int32Array.of(number).buffer));
    numbers.close();
    assert.equal(await end, 0);
    assert.equal(example.output.text, "received 1\nreceived 2\nreceived 3\nclosed, the sum is 6\n");
  });

  onBackends("host_channel.c says so where there is no such channel", async (backend) => {
    const errors = new TextOutput();
    const example = await TaskProgram.make("host_channel", backend, [], { wasi: { stderr: errors } });
    assert.equal(await example.start(), 1);
    assert.equal(errors.text, "the host offers no channel of this name\n");
  });

  onBackends("deadlock.c fails, and says who waits for whom", async (backend) => {
    const example = await TaskProgram.make("deadlock", backend);
    const started = performance.now();
    await assert.rejects(example.start(), (error: Error) => {
      assert.equal(error.name, "DeadlockError");
      assert.match(error.message, /first waits for mutex \d+, held by second/);
      assert.match(error.message, /second waits for mutex \d+, held by first/);
      return true;
    });
    assert.ok(performance.now() - started < 10_000);
  });

  onBackends("tcp_listener.c serves whoever talks, while others are silent", async (backend) => {
    const network = new MemoryNetwork();
    const listener = network.listen("server.test", 9781);
    const example = await TaskProgram.make("tcp_listener", backend, [], {
      wasi: { listeners: [listener], stderr: "ignore" },
    });
    const end = example.start();
    const silent = await network.connect("server.test", 9781);
    for (let client = 0; client < 3; client++) {
      const connection = await network.connect("server.test", 9781);
      await connection.write(new TextEncoder().encode("hi\n"));
      assert.equal(new TextDecoder().decode((await connection.read(100)) ?? undefined), "Hello world\n");
      await connection.close();
    }
    listener.close();
    assert.equal(await end, 0);
    await silent.close();
  });
});

describe("An example", () => {
  check("leaves no task behind", () => {});
});
