// Benchmarks of live subscriptions: `node bench/live/main.ts sockets|subscriptions|fan-out|latency|frozen|leaks [small]`. The router is the real process; clients are others.
import { connect } from 'nats';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { openIssuer } from '../../dev/issuer.ts';
import { startNats } from '../../dev/nats.ts';
import { subjectToken } from '../../schema/subject.ts';
import { ensureStream } from '../../service/nats.ts';
import type { OpenAnswer } from './clients.ts';
import type { FrozenAnswer, FrozenRequest } from './frozen-client.ts';
import { cpuMs, percentile, residentKb, startChild, stopProcess } from './processes.ts';
import type { Child } from './processes.ts';

const plainFields = 'subscription ($orderId: ID!) { orderStatusChanged(orderId: $orderId) { status version reason } }';
const fetchedFields =
  'subscription ($orderId: ID!) { orderStatusChanged(orderId: $orderId) { status version reason order { id payment { status } delivery { status } } } }';

await using opened = new AsyncDisposableStack();
const [scenario = 'sockets', size] = process.argv.slice(2);
const small = size === 'small';
const folder = await mkdtemp(join(tmpdir(), 'bench-live-'));
opened.defer(() => rm(folder, { recursive: true, force: true }));
const [nats, issuer] = await Promise.all([
  startNats({ storeDir: join(folder, 'nats'), disposable: true }),
  openIssuer(join(folder, 'issuer')),
]);
opened.defer(() => nats.close());
const connection = await connect({ servers: nats.url });
opened.defer(() => connection.close());
await ensureStream(await connection.jetstreamManager(), 'ORDER', { replicas: 1, maxAgeHours: 1 });
const jetstream = connection.jetstream();
const subgraphs = await startChild('./stub-subgraphs.ts', scenario === 'latency-single' ? ['single'] : []);
opened.defer(() => subgraphs.stop());
const stubUrl = await subgraphs.ask<string>({});
const router = await startRouter();
/** Tells the viewers of one run from those of another. */
let batch = 0;

console.log(
  `${scenario}${small ? ' (small)' : ''}: ${String(availableParallelism())} CPUs, load ${loadavg()
    .map((one) => one.toFixed(1))
    .join(' ')}, node ${process.version}`,
);
switch (scenario) {
  case 'sockets':
    await memory(small ? 4_000 : 19_000, 1);
    break;
  case 'subscriptions':
    await memory(small ? 2_000 : 10_000, 10);
    break;
  case 'sockets-of-subscriptions':
    // What `subscriptions` is compared with: the same sockets with one subscription each.
    await memory(small ? 2_000 : 10_000, 1);
    break;
  case 'fan-out':
    await fanOut();
    break;
  case 'latency':
    await latency(false);
    break;
  case 'latency-one-viewer':
    // With one token all become one question; `latency` asks for each viewer.
    await latency(true);
    break;
  case 'latency-single':
    // Subgraphs that take one viewer in a request, as foreign ones do.
    await latency(false);
    break;
  case 'frozen':
    await frozen();
    break;
  case 'leaks':
    await leaks();
    break;
  default:
    throw new Error(`there is no scenario ${scenario}`);
}

/** Resident memory for each socket with its subscriptions. One case for each run: a heap that has grown before would hide the growth. */
async function memory(count: number, each: number): Promise<void> {
  const clients = [await startChild('./clients.ts'), await startChild('./clients.ts')];
  for (const child of clients) opened.defer(() => child.stop());
  const specs = await viewers(count, each);
  const before = await settledKb();
  const half = Math.ceil(specs.length / 2);
  const answers = await Promise.all(
    clients.map((child, index) => open(child, specs.slice(index * half, (index + 1) * half), plainFields)),
  );
  const after = await settledKb();
  const cpu = cpuMs(router.pid);
  await pause(20_000);
  console.log({
    sockets: count,
    subscriptions: count * each,
    errors: answers.reduce((sum, { errors }) => sum + errors, 0),
    routerKbPerSocket: round((after - before) / count),
    idleCpuPercent: round((cpuMs(router.pid) - cpu) / 200),
  });
}

/** Frames to the watchers of one order, against a plain broadcast of the same bytes, in turns. */
async function fanOut(): Promise<void> {
  const watchers = small ? 1_000 : 5_000;
  const events = small ? 50 : 150;
  const clients = await startChild('./clients.ts');
  const plainClients = await startChild('./clients.ts');
  const plain = await startChild('./plain-ws.ts');
  for (const child of [clients, plainClients, plain]) opened.defer(() => child.stop());
  const token = await issuer.token({ sub: 'alice' });
  await publish('alice', 'hot', 1);
  await open(
    clients,
    Array.from({ length: watchers }, () => ({ token, orders: ['hot'] })),
    plainFields,
  );
  await plainClients.ask({ kind: 'openPlain', url: await plain.ask<string>({ kind: 'url' }), count: watchers });

  let version = 1;
  const bytes = `{"id":"0","type":"next","payload":${JSON.stringify({ data: { orderStatusChanged: { status: 'PAID', version: 100, reason: null } } })}}`;
  const runs = { router: [] as Rate[], plain: [] as Rate[] };
  for (let turn = 0; turn < 4; turn += 1) {
    runs.router.push(
      await rate(router.pid, clients, watchers, events, async () => publish('alice', 'hot', (version += 1))),
    );
    runs.plain.push(
      await rate(plain.pid, plainClients, watchers, events, () => plain.ask<undefined>({ kind: 'broadcast', bytes })),
    );
  }
  // The first turn warms both up.
  const best = (all: readonly Rate[]): Rate =>
    all.slice(1).reduce((one, other) => (other.cpuMicroseconds < one.cpuMicroseconds ? other : one));
  const [ours, theirs] = [best(runs.router), best(runs.plain)];
  console.log({
    watchers,
    events,
    router: ours,
    plainWs: theirs,
    framesRatio: round(ours.framesPerSecond / theirs.framesPerSecond),
    cpuRatio: round(theirs.cpuMicroseconds / ours.cpuMicroseconds),
  });
}

interface Rate {
  readonly framesPerSecond: number;
  /** CPU time of the server for each frame. */
  readonly cpuMicroseconds: number;
}

async function rate(
  pid: number,
  clients: Child,
  watchers: number,
  events: number,
  emit: () => Promise<unknown>,
): Promise<Rate> {
  await clients.ask({ kind: 'reset' });
  const [started, cpu] = [performance.now(), cpuMs(pid)];
  for (let event = 0; event < events; event += 1) {
    const arrived = clients.ask({ kind: 'await', frames: watchers });
    await emit();
    await arrived;
  }
  const frames = watchers * events;
  return {
    framesPerSecond: Math.round((frames / (performance.now() - started)) * 1000),
    cpuMicroseconds: round(((cpuMs(pid) - cpu) * 1000) / frames),
  };
}

/** From publishing to the socket, each subscriber on its own order. */
async function latency(oneViewer: boolean): Promise<void> {
  const sockets = small ? 1_000 : 10_000;
  const perSecond = small ? 200 : 1_000;
  const seconds = 15;
  for (const [name, query] of [
    ['no fetch', plainFields],
    ['payment and delivery fetched', fetchedFields],
  ] as const) {
    const clients = await startChild('./clients.ts');
    const specs = await viewers(sockets, 1, oneViewer);
    await open(clients, specs, query);
    await clients.ask({ kind: 'reset' });
    const arrived = clients.ask({ kind: 'await', frames: perSecond * seconds });
    const published: Promise<void>[] = [];
    const started = performance.now();
    for (let sent = 0; sent < perSecond * seconds;) {
      const due = Math.floor(((performance.now() - started) / 1000) * perSecond);
      for (; sent < due && sent < perSecond * seconds; sent += 1) {
        const spec = specs[sent % specs.length];
        if (spec === undefined) continue;
        published.push(
          publish(spec.viewer, spec.orders[0] ?? '', 2 + Math.floor(sent / specs.length), `t=${String(Date.now())}`),
        );
      }
      await pause(5);
    }
    await Promise.all(published);
    await arrived;
    const { latencies } = await clients.ask<{ latencies: number[] }>({ kind: 'latencies' });
    latencies.sort((one, other) => one - other);
    const batches = await metric('live_hydration_batch_size_count');
    console.log({
      fields: name,
      subscribers: sockets,
      eventsPerSecond: Math.round((perSecond * seconds * 1000) / (performance.now() - started)),
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      batchSize: batches === 0 ? undefined : round((await metric('live_hydration_batch_size_sum')) / batches),
    });
    await clients.stop();
    await untilMetric('live_subscriptions', 0);
  }
}

/** What others notice while one client of many is stopped: their latency before and meanwhile, and what becomes of that one. */
async function frozen(): Promise<void> {
  const others = small ? 200 : 999;
  const perSecond = 20;
  const seconds = 20;
  const [clients, victim] = [await startChild('./clients.ts'), await startChild('./frozen-client.ts')];
  for (const child of [clients, victim]) opened.defer(() => child.stop());
  const token = await issuer.token({ sub: 'alice' });
  let version = 1;
  await publish('alice', 'hot', version);
  await open(
    clients,
    Array.from({ length: others }, () => ({ token, orders: ['hot'] })),
    plainFields,
  );
  await victim.ask({ kind: 'open', url: router.url, token, orderId: 'hot' } satisfies FrozenRequest);
  const phase = async (): Promise<number> => {
    await clients.ask({ kind: 'reset' });
    const arrived = clients.ask({ kind: 'await', frames: others * perSecond * seconds });
    for (let sent = 0; sent < perSecond * seconds; sent += 1) {
      await publish('alice', 'hot', (version += 1), `t=${String(Date.now())}${'.'.repeat(1_000)}`);
      await pause(1000 / perSecond);
    }
    await arrived;
    const { latencies } = await clients.ask<{ latencies: number[] }>({ kind: 'latencies' });
    return percentile(
      latencies.sort((one, other) => one - other),
      0.99,
    );
  };
  await phase();
  const before = await phase();
  process.kill(victim.pid, 'SIGSTOP');
  const meanwhile = await phase();
  process.kill(victim.pid, 'SIGCONT');
  const outcome = await victim.ask<FrozenAnswer>({ kind: 'resume', until: version } satisfies FrozenRequest);
  console.log({ others, p99BeforeMs: before, p99MeanwhileMs: meanwhile, frozen: outcome });
}

/** What stays when all have gone abruptly, round by round. */
async function leaks(): Promise<void> {
  const sockets = small ? 500 : 3_000;
  for (let roundNumber = 1; roundNumber <= 10; roundNumber += 1) {
    const clients = await startChild('./clients.ts');
    await open(clients, await viewers(sockets, 1), plainFields);
    await clients.stop();
    const started = performance.now();
    for (const name of ['live_subscriptions', 'live_topics', 'live_groups', 'live_connections'])
      await untilMetric(name, 0);
    const back = performance.now() - started;
    console.log({ round: roundNumber, backToZeroMs: Math.round(back), residentMb: round((await settledKb()) / 1024) });
  }
}

interface Spec {
  readonly viewer: string;
  readonly token: string;
  readonly orders: readonly string[];
}

/** One viewer for each socket, each with orders of their own that have a status. */
async function viewers(count: number, each: number, oneViewer = false): Promise<Spec[]> {
  batch += 1;
  const shared = oneViewer ? await issuer.token({ sub: 'everyone' }) : undefined;
  const specs: Spec[] = [];
  for (let start = 0; start < count; start += 500) {
    const some = await Promise.all(
      Array.from({ length: Math.min(500, count - start) }, async (_, index): Promise<Spec> => {
        const name = `v${String(batch)}-${String(start + index)}`;
        const viewer = oneViewer ? 'everyone' : name;
        const orders = Array.from({ length: each }, (_each, number) => `${name}-${String(number)}`);
        const token = shared ?? (await issuer.token({ sub: viewer }));
        for (const order of orders) await publish(viewer, order, 1);
        return { viewer, token, orders };
      }),
    );
    specs.push(...some);
  }
  return specs;
}

function open(
  child: Child,
  sockets: readonly { token: string; orders: readonly string[] }[],
  query: string,
): Promise<OpenAnswer> {
  return child.ask({ kind: 'open', url: router.url, sockets, query });
}

async function publish(viewer: string, order: string, version: number, reason: string | null = null): Promise<void> {
  const data = {
    status: 'PAID',
    previousStatus: 'ORDERED',
    version,
    reason,
    occurredAt: new Date().toISOString(),
    order: { id: order, customerId: viewer },
  };
  await jetstream.publish(`order.status.${subjectToken(viewer)}.${subjectToken(order)}`, JSON.stringify(data));
}

async function startRouter(): Promise<{ readonly pid: number; readonly url: string; readonly origin: string }> {
  const child = spawn(
    process.execPath,
    ['--max-semi-space-size=16', '--disable-warning=ExperimentalWarning', 'router/main.ts'],
    {
      env: {
        PATH: process.env['PATH'],
        ROUTER_PORT: '0',
        NATS_URL: nats.url,
        AUTH_JWKS: issuer.jwksFile,
        CURSOR_SECRETS: 'bench',
        HEAP_GROWTH_PERCENT: '20',
        SUBGRAPH_URL_ORDER: stubUrl,
        SUBGRAPH_URL_PAYMENT: stubUrl,
        SUBGRAPH_URL_DELIVERY: stubUrl,
        LIVE_CONNECTIONS_PER_VIEWER: '100000',
        LIVE_SUBSCRIPTIONS_PER_VIEWER: '100000',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  opened.defer(() => stopProcess(child));
  for await (const line of createInterface(child.stdout)) {
    const entry = JSON.parse(line) as { msg?: string; url?: string };
    if (entry.msg !== 'ready' || entry.url === undefined) continue;
    child.stdout.resume();
    return { pid: child.pid ?? 0, url: entry.url.replace('http', 'ws'), origin: new URL(entry.url).origin };
  }
  throw new Error('the router ended before it was ready');
}

/** A figure of the router, labels added up. */
async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${router.origin}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function untilMetric(name: string, value: number): Promise<void> {
  while ((await metric(name)) !== value) await pause(100);
}

/** Resident memory once it has stopped to change: V8 gives pages back some seconds after it has freed them. */
async function settledKb(): Promise<number> {
  await pause(small ? 10_000 : 25_000);
  return residentKb(router.pid);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
