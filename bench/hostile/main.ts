// `node bench/hostile/main.ts [requests]`: sends hostile requests one by one to a router in this process and measures the CPU time that
// each takes. Client and subgraphs are in the process too, so the figures are upper bounds. Exits 1 when one breaks the promise.
import { hostileRequests } from '../../router/test-hostile.ts';
import { startTestRouter } from '../../router/test-router.ts';

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

const kinds = new Map<string, Kind>();
const router = await startTestRouter({ BATCH_LIMIT: '10' });
const headers = { 'content-type': 'application/json' };

async function send(body: string): Promise<{ code: string; cpuMs: number }> {
  const before = process.cpuUsage();
  const response = await fetch(router.url, { method: 'POST', headers, body });
  const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
  const { user, system } = process.cpuUsage(before);
  return { code: errors?.[0]?.extensions.code ?? 'ok', cpuMs: (user + system) / 1000 };
}

// The first of each kind make V8 compile the code that the others run, which would count as theirs.
for (let n = 0; n < warmUps; n++) for (const { body } of hostileRequests(1_000_000 + n)) await send(body);

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
await router.close();

const rows = [...kinds].map(([request, { count, cpuMs, worstMs, over, unexpected }]) => ({
  request,
  count,
  'mean ms': Number((cpuMs / count).toFixed(1)),
  'over 100 ms': over,
  'worst ms': Number(worstMs.toFixed(1)),
  unexpected: [...unexpected].join(', '),
}));
console.table(rows);
console.log(`${sent} requests, ${process.memoryUsage.rss() >> 20} MB, ${alive ? 'alive' : 'DEAD'}`);
process.exitCode = alive && rows.every((row) => row['worst ms'] <= allowedMs && row.unexpected === '') ? 0 : 1;
