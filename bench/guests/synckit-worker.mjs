// What synckit runs for bench/blocking.ts: lies here because it finds synckit here.
import { runAsWorker } from "synckit";

runAsWorker(async (value) => value);
