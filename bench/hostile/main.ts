// `node bench/hostile/main.ts [requests]`: sends hostile requests one by one to a router and measures the CPU time that each takes
// from its main thread, for which all others have to wait, and from all its threads. Exits 1 when one breaks the promise.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostileRequests } from '../../router/test-hostile.ts';
import type { HostileRequest } from '../../router/test-hostile-documents.ts';
import { startRouterProcess } from '../../router/test-process.ts';
import { reviewResolvers, reviewSdl, startSubgraph, userResolvers, userSdl } from '../../router/test-subgraphs.ts';
import { composeSupergraph } from '../../schema/compose.ts';
import { mainThreadCpuMs, residentKb, round, threadsCpuMs } from '../live/processes.ts';

const total = Number(process.argv[2] ?? 10_000);
const allowedMs = 100;
const warmUps = 10;

/** Milliseconds of one request. */
interface Cost {
  readonly main: number;
  readonly all: number;
}

interface Kind {
  readonly costs: Cost[];
  readonly unexpected: Set<string>;
}

await using opened = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'bench-hostile-'));
opened.defer(() => rm(folder, { recursive: true }));
const users = await startSubgraph(userSdl, userResolvers(Promise.resolve('')), () => undefined);
opened.defer(() => users.stop());
const reviews = await startSubgraph(reviewSdl, reviewResolvers, () => undefined);
opened.defer(() => reviews.stop());
const file = join(folder, 'supergraph.graphql');
const { supergraphSdl } = composeSupergraph([
  { name: 'users', url: users.url, sdl: userSdl },
  { name: 'reviews', url: reviews.url, sdl: reviewSdl },
]);
await writeFile(file, supergraphSdl);
const router = await startRouterProcess(['--supergraph', file], {
  AUTH_MODE: 'off',
  BATCH_LIMIT: '10',
  NODE_ENV: 'production',
});
opened.defer(async () => {
  await router.stop();
});

async function send({ body, headers }: HostileRequest): Promise<Cost & { readonly code: string }> {
  const before = { main: mainThreadCpuMs(router.pid), all: threadsCpuMs(router.pid) };
  const response = await fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await response.text();
  const main = mainThreadCpuMs(router.pid) - before.main;
  const all = threadsCpuMs(router.pid) - before.all;
  return { code: /"code":"(\w+)"/.exec(text)?.[1] ?? 'ok', main, all };
}

// The first of each kind make V8 compile the code that the others run, which would count as theirs.
for (let n = 0; n < warmUps; n++) {
  for (const request of hostileRequests(1_000_000 + n)) await send(request);
}

console.log(`load ${loadavg()[0]?.toFixed(1) ?? ''}`);
const kinds = new Map<string, Kind>();
let sent = 0;
for (let seed = 0; sent < total; seed++) {
  for (const request of hostileRequests(seed)) {
    const { code, ...cost } = await send(request);
    const kind = kinds.get(request.name) ?? { costs: [], unexpected: new Set() };
    kinds.set(request.name, kind);
    kind.costs.push(cost);
    if (!request.codes.includes(code)) kind.unexpected.add(code);
    sent += 1;
  }
}
const alive = (await router.ask('{ echo(number: 1) }')).status === 200;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const figures = (costs: readonly Cost[]) => {
  const [main, all] = [costs.map((cost) => cost.main), costs.map((cost) => cost.all)];
  const over = (values: readonly number[]): number => values.filter((value) => value > allowedMs).length;
  return {
    mean: round(mean(main)),
    worst: round(Math.max(...main)),
    over: over(main),
    'all threads: mean': round(mean(all)),
    'all threads: worst': round(Math.max(...all)),
    'all threads: over': over(all),
  };
};
const rows = [...kinds].map(([request, { costs, unexpected }]) => ({
  request,
  ...figures(costs),
  unexpected: [...unexpected].join(', '),
}));
console.table(rows.toSorted((one, other) => other.mean - one.mean));
const everything = figures([...kinds.values()].flatMap(({ costs }) => costs));
console.log(`ms of CPU of ${sent} requests:`, everything);
console.log(`${(residentKb(router.pid) / 1024).toFixed(0)} MB, ${alive ? 'alive' : 'DEAD'}`);
process.exitCode = alive && everything.over === 0 && rows.every(({ unexpected }) => unexpected === '') ? 0 : 1;
