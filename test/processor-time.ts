/**
 * How long something has computed, for tests that would notice it if it took far too long: a machine that is busy with something else
 * lets the clock go on, but not this.
 */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
