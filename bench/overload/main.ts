// `node bench/overload/main.ts [small]`: what the router does at twice the load that it can sustain, and how soon it is back afterwards.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { percentile, residentKb } from '../live/processes.ts';
import { contestants, start } from '../query/contestants.ts';
import { supergraphAt } from '../query/graph.ts';
import type { LoadOrder, LoadResult } from '../query/load.ts';
import { startPinned } from '../query/pinned.ts';
import type { OpenLoadOrder, Second } from './open-load.ts';

const small = process.argv[2] === 'small';
const seconds = small ? 3 : 15;
const operation = 'myOrders';
// Were the subgraphs beside the load, they would starve before the router has more than it can do.
const routerCore = '0';
const loadCore = '1';

await using opened = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'bench-overload-'));
opened.defer(() => rm(folder, { recursive: true, force: true }));
const subgraphs = await startPinned<{ port: number }>('./subgraphs.ts', routerCore);
opened.defer(() => subgraphs.stop());
const origin = `http://127.0.0.1:${String(subgraphs.ready.port)}`;
const file = join(folder, 'supergraph.graphql');
await writeFile(file, supergraphAt(origin));
const ours = contestants.find(({ name }) => name === 'ours');
if (ours === undefined) throw new Error('the router is no contestant');
const router = await start(ours, { file, origin, core: routerCore });
opened.defer(() => router.stop());

const closed = await startPinned('./load.ts', loadCore);
const ask: LoadOrder = { port: router.port, operation, milliseconds: 3_000, connections: 64 };
await closed.ask<LoadResult>(ask);
const most = await closed.ask<LoadResult>(ask);
await closed.stop();
const sustainable = Math.round(most.requests / most.seconds);
console.log(
  `load ${loadavg()[0]?.toFixed(1) ?? ''}; sustainable: ${String(sustainable)} requests/s (64 connections, p99 ${most.p99.toFixed(0)} ms)`,
);

const open = await startPinned('../overload/open-load.ts', loadCore);
opened.defer(() => open.stop());
const memory: number[] = [];
const health: number[] = [];
const watching = setInterval(() => {
  memory.push(residentKb(router.pid) / 1024);
  const askedAt = performance.now();
  void fetch(`http://127.0.0.1:${String(router.port)}/health/live`).then(
    ({ status }) => health.push(status === 200 ? performance.now() - askedAt : Infinity),
    () => health.push(Infinity),
  );
}, 250);
opened.defer(() => clearInterval(watching));

await phase('half', 0.5);
await phase('twice', 2);
const after = await phase('half, after', 0.5);
const troubled = after.findLast(
  ({ shed, failed, partial, unsent, latencies }) =>
    shed + failed + partial + unsent > 0 || percentile(latencies, 0.99) > 100,
);
if (troubled !== undefined) console.log({ ...troubled, latencies: troubled.latencies.slice(-5) });
console.log(`back to normal after ${String(troubled === undefined ? 0 : troubled.second + 1)} s`);

async function phase(name: string, share: number): Promise<readonly Second[]> {
  memory.length = health.length = 0;
  const order: OpenLoadOrder = {
    port: router.port,
    rates: { [operation]: Math.round(sustainable * share) },
    milliseconds: seconds * 1_000,
    connections: 4_000,
  };
  const told = await open.ask<readonly Second[]>(order);
  const sum = (of: (second: Second) => number): number => told.reduce((total, second) => total + of(second), 0);
  const latencies = told.flatMap((second) => second.latencies).sort((one, other) => one - other);
  const perSecond = (count: number): string => (count / seconds).toFixed(0);
  console.log(
    `${name}: ${perSecond(sustainable * share * seconds)}/s asked, ${perSecond(sum(({ ok }) => ok))}/s answered whole, ` +
      `${perSecond(sum(({ shed }) => shed))}/s shed, ${perSecond(sum(({ partial }) => partial))}/s with fields refused, ${String(sum(({ failed }) => failed))} failed, ` +
      `${String(sum(({ unsent }) => unsent))} without a connection; p50 ${percentile(latencies, 0.5).toFixed(0)} ms, ` +
      `p99 ${percentile(latencies, 0.99).toFixed(0)} ms; memory at most ${Math.max(...memory).toFixed(0)} MB, ` +
      `health in at most ${Math.max(...health).toFixed(0)} ms`,
  );
  return told;
}
