/** `examples/locks.rs` of rust-coroutines: locks that are held while their holders sleep. There they block a thread; here nothing. */
import { Condvar, DeadlockError, Mutex, RwLock, Semaphore, scope, sleep } from "stackful/tasks";

const [mutex, lock, permits] = [new Mutex(), new RwLock(), new Semaphore(3)];
let most = 0;
let inside = 0;
await scope(async (scope) => {
  for (let i = 0; i < 10; i++) {
    scope.spawn(() => mutex.with(() => sleep(1)));
    scope.spawn(async () => {
      using _ = await (i % 2 === 0 ? lock.read() : lock.write());
      await sleep(1);
    });
    scope.spawn(async () => {
      using _ = await permits.acquire();
      most = Math.max(most, ++inside);
      await sleep(1);
      inside--;
    });
  }
  await scope.join();
});
console.log("done:", { mutex: mutex.locked, readers: lock.readers, permits: permits.available, most });

const [a, b, changed] = [new Mutex({ name: "a" }), new Mutex({ name: "b" }), new Condvar()];
const both = (first: Mutex, second: Mutex) => (): Promise<void> =>
  first.with(() => sleep(1).then(() => second.with(() => changed.notifyAll())));
const stuck = scope(async (scope) => {
  for (const [name, body] of Object.entries({ left: both(a, b), right: both(b, a) })) scope.spawn(body, { name });
  await scope.join();
});
await stuck.catch((error: unknown) => console.log(error instanceof DeadlockError && error.message));

// Output:
// done: { mutex: false, readers: 0, permits: 3, most: 3 }
// Cannot go on: the tasks wait for each other
//   right waits for mutex a, held by left
//   left waits for mutex b, held by right
