// `node bench/reload/main.ts [small]`: 1,000 requests a second while the supergraph is replaced ten times and a subgraph is killed and
// started again three times. No request may fail that does not need that subgraph.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { percentile } from '../live/processes.ts';
import type { OpenLoadOrder, Second } from '../overload/open-load.ts';
import { contestants, start } from '../query/contestants.ts';
import { supergraphAt } from '../query/graph.ts';
import { startPinned } from '../query/pinned.ts';

const small = process.argv[2] === 'small';
const [reloads, restarts, seconds] = small ? [3, 1, 12] : [10, 3, 45];
const rates = { small: 800, myOrders: 200 };
const routerCore = '0';
const otherCore = '1';

await using opened = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'bench-reload-'));
opened.defer(() => rm(folder, { recursive: true, force: true }));
const subgraphs = await startPinned<{ port: number }>('./subgraphs.ts', otherCore);
opened.defer(() => subgraphs.stop());
let deliveries = await startPinned<{ port: number }>('./subgraphs.ts', otherCore);
opened.defer(() => deliveries.stop());
const deliveriesPort = deliveries.ready.port;
const origin = `http://127.0.0.1:${String(subgraphs.ready.port)}`;
const file = join(folder, 'supergraph.graphql');
const sdl = supergraphAt(origin);
await writeFile(file, sdl);
const ours = contestants.find(({ name }) => name === 'ours');
if (ours === undefined) throw new Error('the router is no contestant');
const env = () => ({
  ...ours.env?.(origin),
  SUBGRAPH_URL_DELIVERIES: `http://127.0.0.1:${String(deliveriesPort)}/deliveries`,
});
const router = await start({ ...ours, env }, { file, origin, core: routerCore });
opened.defer(() => router.stop());
const load = await startPinned('../overload/open-load.ts', otherCore);
opened.defer(() => load.stop());
const order: OpenLoadOrder = { port: router.port, rates, milliseconds: 3_000, connections: 500 };
await load.ask<readonly Second[]>(order);

console.log(`load ${loadavg()[0]?.toFixed(1) ?? ''}`);
const answered = load.ask<readonly Second[]>({ ...order, milliseconds: seconds * 1_000 });
await Promise.all([
  everyPart(reloads, async (number) => {
    await writeFile(`${file}.new`, sdl.replace('type Query', `"""Version ${String(number)}."""\ntype Query`));
    await rename(`${file}.new`, file);
  }),
  everyPart(restarts, async () => {
    await deliveries.stop();
    await pause(2_000);
    deliveries = await startPinned<{ port: number }>('./subgraphs.ts', otherCore, [String(deliveriesPort)]);
  }),
]);
const told = await answered;

const metrics = await (await fetch(`http://127.0.0.1:${String(router.port)}/metrics`)).text();
const switched = Number(/router_supergraph_reloads_total\{outcome="switched"[^}]*\} (\d+)/.exec(metrics)?.[1] ?? 0);
console.log(
  `${String(switched)} of ${String(reloads)} supergraphs taken over, deliveries killed ${String(restarts)} times`,
);
const needs = { small: 'does not need deliveries', myOrders: 'needs deliveries' } as const;
for (const operation of ['small', 'myOrders'] as const) {
  const of = told.filter((second) => second.operation === operation);
  const sum = (count: (second: Second) => number): string =>
    String(of.reduce((total, second) => total + count(second), 0));
  const latencies = of.flatMap((second) => second.latencies).sort((one, other) => one - other);
  console.log(
    `${operation} (${needs[operation]}): ${sum(({ ok }) => ok)} whole, ${sum(({ partial }) => partial)} partial, ` +
      `${sum(({ failed }) => failed)} failed, ${sum(({ shed }) => shed)} shed, ${sum(({ unsent }) => unsent)} unsent; ` +
      `p50 ${percentile(latencies, 0.5).toFixed(1)} ms, p99 ${percentile(latencies, 0.99).toFixed(0)} ms, longest ${(latencies.at(-1) ?? NaN).toFixed(0)} ms`,
  );
}
const broken = told.filter(({ operation, ok, partial, shed, failed, unsent }) =>
  operation === 'small' ? partial + shed + failed + unsent > 0 : ok + partial === 0 || shed + failed + unsent > 0,
);
if (switched !== reloads || broken.length > 0) {
  console.error(
    'does not hold',
    broken.map(({ latencies: _latencies, ...second }) => second),
  );
  process.exitCode = 1;
}

/** Does something so many times, spread over the run, the last one well before its end. */
async function everyPart(times: number, work: (number: number) => Promise<void>): Promise<void> {
  for (let number = 1; number <= times; number++) {
    await pause(((seconds - 6) * 1_000) / times / 2);
    const done = work(number);
    await pause(((seconds - 6) * 1_000) / times / 2);
    await done;
  }
}
