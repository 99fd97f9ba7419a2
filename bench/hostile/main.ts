// `node bench/hostile/main.ts [requests]`: sends hostile requests one by one to a router and measures the CPU time that each takes
// from its main thread, for which all others have to wait. Exits 1 when one breaks the promise.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostileRequests } from '../../router/test-hostile.ts';
import { startRouterProcess } from '../../router/test-process.ts';
import { reviewResolvers, reviewSdl, startSubgraph, userResolvers, userSdl } from '../../router/test-subgraphs.ts';
import { composeSupergraph } from '../../schema/compose.ts';
import { cpuMs, mainThreadCpuMs, residentKb } from '../live/processes.ts';

const total = Number(process.argv[2] ?? 10_000);
const allowedMs = 100;
const warmUps = 10;

interface Kind {
  count: number;
  cpuMs: number;
  worstMs: number;
  over: number;
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

const headers = { 'content-type': 'application/json' };
async function send(body: string): Promise<{ code: string; cpuMs: number }> {
  const before = mainThreadCpuMs(router.pid);
  const response = await fetch(router.url, { method: 'POST', headers, body });
  const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
  return { code: errors?.[0]?.extensions.code ?? 'ok', cpuMs: mainThreadCpuMs(router.pid) - before };
}

// The first of each kind make V8 compile the code that the others run, which would count as theirs.
for (let n = 0; n < warmUps; n++) for (const { body } of hostileRequests(1_000_000 + n)) await send(body);

console.log(`load ${loadavg()[0]?.toFixed(1) ?? ''}`);
const startedAt = cpuMs(router.pid);
const kinds = new Map<string, Kind>();
let sent = 0;
for (let seed = 0; sent < total; seed++) {
  for (const { name, body, codes } of hostileRequests(seed)) {
    const { code, cpuMs } = await send(body);
    const kind = kinds.get(name) ?? { count: 0, cpuMs: 0, worstMs: 0, over: 0, unexpected: new Set() };
    kinds.set(name, kind);
    kind.count += 1;
    kind.cpuMs += cpuMs;
    if (cpuMs > allowedMs) kind.over += 1;
    kind.worstMs = Math.max(kind.worstMs, cpuMs);
    if (!codes.includes(code)) kind.unexpected.add(code);
    sent += 1;
  }
}
const alive = (await router.ask('{ echo(number: 1) }')).status === 200;

const rows = [...kinds].map(([request, { count, cpuMs, worstMs, over, unexpected }]) => ({
  request,
  count,
  'mean ms': Number((cpuMs / count).toFixed(1)),
  'over 100 ms': over,
  'worst ms': Number(worstMs.toFixed(1)),
  unexpected: [...unexpected].join(', '),
}));
console.table(rows);
const onAverage = (cpuMs(router.pid) - startedAt) / sent;
console.log(
  `${sent} requests, ${onAverage.toFixed(1)} ms of all threads on average, ${(residentKb(router.pid) / 1024).toFixed(0)} MB, ${alive ? 'alive' : 'DEAD'}`,
);
process.exitCode = alive && rows.every((row) => row['worst ms'] <= allowedMs && row.unexpected === '') ? 0 : 1;
