// Memory of the router for each socket and each subscription, and what it does while nothing happens.
import { setTimeout as pause } from 'node:timers/promises';
import { plainFields } from './bench.ts';
import type { Bench } from './bench.ts';
import { cpuMs, round } from './processes.ts';

/** A minute holds two heartbeats of each socket, and the collection after half a minute of quiet. */
const idleMs = 60_000;

/** Resident memory for each socket with its subscriptions. One case for each run: a heap that has grown before would hide the growth. */
export async function memory(bench: Bench, count: number, each: number): Promise<void> {
  const clients = [await bench.start('./clients.ts'), await bench.start('./clients.ts')];
  const specs = await bench.viewers(count, each);
  const before = await bench.settledKb();
  const half = Math.ceil(specs.length / 2);
  const answers = await Promise.all(
    clients.map((child, index) => bench.open(child, specs.slice(index * half, (index + 1) * half), plainFields)),
  );
  const after = await bench.settledKb();
  const cpu = cpuMs(bench.router.pid);
  await pause(idleMs);
  console.log({
    sockets: count,
    subscriptions: count * each,
    errors: answers.reduce((sum, { errors }) => sum + errors, 0),
    routerKbPerSocket: round((after - before) / count),
    idleCpuPercent: round((100 * (cpuMs(bench.router.pid) - cpu)) / idleMs),
  });
}
