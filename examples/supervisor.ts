/** Tasks that are started again when they fail, and the mailbox of a task, as in Erlang and lunatic. */
import { RestartLimitError, Supervisor, TaskEnded, monitor, sleep, spawn } from "stackful/tasks";

let attempts = 0;
const worker = async (): Promise<void> => {
  attempts++;
  console.log("attempt", attempts);
  await sleep(1);
  if (attempts < 3) throw new Error("connection refused");
};
const children = [
  { name: "cache", run: () => sleep(20) },
  { name: "worker", run: worker },
];
await new Supervisor(children, { strategy: "one-for-one", backoff: { initialMs: 1, maxMs: 100 } }).run();

const hopeless = new Supervisor([{ name: "hopeless", run: () => Promise.reject(new Error("no")) }], { maxRestarts: 2 });
await hopeless.run().catch((error: unknown) => console.log(error instanceof RestartLimitError, String(error)));

const logger = spawn(async ({ mailbox }) => {
  for (;;) {
    const message = await mailbox.receive();
    if (message instanceof TaskEnded) return `${message.task.name} has ${message.result.state}`;
    console.log("log:", message);
  }
});
const job = spawn(() => void logger.mailbox.send("working"), { name: "job" });
monitor(job, logger.mailbox);
console.log(await logger);

// Output:
// attempt 1
// attempt 2
// attempt 3
// true RestartLimitError: Cannot restart hopeless: there were 2 restarts already, the limit
// log: working
// job has returned
