// What stays in the router when all clients have gone, round by round. A third each goes killed while events come, while it subscribes,
// and on a quiet stream. Ends with 1 when a count is not back within a minute, or the heap rises from round to round.
import { setTimeout as pause } from 'node:timers/promises';
import { plainFields } from './bench.ts';
import type { Bench, Spec } from './bench.ts';
import { openInspector } from './inspector.ts';
import type { Inspector } from './inspector.ts';
import { round } from './processes.ts';

const rounds = 10;
const limitMs = 60_000;
/** The router remembers so many verified tokens: with all of them there, new viewers add nothing. */
const rememberedTokens = 10_000;
/** Code is compiled and buffers have grown by then; after it the heap is to stay. */
const settledAfterRound = 3;
/** From the round above to the last: at full size 50 bytes for each socket that came and went. */
const riseLimitMb = 1;

interface Counts {
  readonly connections: number;
  readonly subscriptions: number;
  readonly topics: number;
  readonly groups: number;
  readonly natsSubscriptions: number;
  readonly timers: number;
}

export async function leaks(bench: Bench): Promise<void> {
  const inspector = await openInspector(bench.router.inspectorUrl ?? '');
  bench.defer(() => inspector.close());
  const third = bench.small ? 200 : 1_000;
  await fillTokenCache(bench);
  // What is made with the first use and kept (the subscription for answers to requests, say) belongs to the baseline.
  const first = await bench.start('./clients.ts');
  await bench.open(first, await bench.viewers(1, 1), plainFields);
  await first.stop();
  await bench.untilMetric('live_connections', 0);
  await pause(5_000);
  const baseline = await counts(bench, inspector);
  console.log({ baseline, heapMb: megabytes(await inspector.heapBytes()) });

  const heaps: number[] = [];
  for (let number = 1; number <= rounds; number += 1) {
    const peak = await comeAndGo(bench, inspector, third);
    const left = performance.now();
    let now = await counts(bench, inspector);
    while (isAbove(now, baseline) && performance.now() - left < limitMs) {
      await pause(250);
      now = await counts(bench, inspector);
    }
    const backMs = Math.round(performance.now() - left);
    heaps.push(megabytes(await inspector.heapBytes()));
    console.log(`round ${String(number)}:`, JSON.stringify({ peak, backMs, heapMb: heaps.at(-1) }));
    if (!isAbove(now, baseline)) continue;
    console.error('not back within a minute', now);
    process.exitCode = 1;
    return;
  }
  const riseMb = round((heaps.at(-1) ?? NaN) - (heaps[settledAfterRound - 1] ?? NaN));
  const holds = riseMb <= riseLimitMb;
  console.log({ sockets: 3 * third * rounds, heapRiseMb: riseMb, holds });
  if (!holds) process.exitCode = 1;
}

async function fillTokenCache({ issuer, router }: Bench): Promise<void> {
  const url = router.url.replace('ws', 'http');
  for (let start = 0; start < rememberedTokens; start += 8) {
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const token = await issuer.token({ sub: `cached-${String(start + index)}` });
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const response = await fetch(url, { method: 'POST', headers, body: '{"query":"{ __typename }"}' });
        if (!response.ok) throw new Error(`the router answered ${String(response.status)}`);
        await response.arrayBuffer();
      }),
    );
  }
}

/** One round; gives the counts when most were there. */
async function comeAndGo(bench: Bench, inspector: Inspector, third: number): Promise<Counts> {
  const [killed, leaving, quiet] = [
    await bench.start('./clients.ts'),
    await bench.start('./clients.ts'),
    await bench.start('./clients.ts'),
  ];
  const specs = await bench.viewers(3 * third, 1);
  const [flowing, leavers, silent] = [specs.slice(0, third), specs.slice(third, 2 * third), specs.slice(2 * third)];
  await bench.open(killed, flowing, plainFields);
  await bench.open(quiet, silent, plainFields);
  const flow = startFlow(bench, flowing);
  await leaving.ask({ kind: 'leaveWhileSubscribing', url: bench.router.url, sockets: leavers, query: plainFields });
  const peak = await counts(bench, inspector);
  await killed.stop();
  await flow.stop();
  await quiet.ask({ kind: 'close' });
  await Promise.all([leaving.stop(), quiet.stop()]);
  return peak;
}

/** Publishes changes of these orders in turns, until it is stopped. */
function startFlow(bench: Bench, specs: readonly Spec[]): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const isStopped = (): boolean => stopped.signal.aborted;
  const running = (async () => {
    for (let version = 2; !isStopped(); version += 1) {
      for (const { viewer, orders } of specs) {
        if (isStopped()) return;
        await bench.publish(viewer, orders[0] ?? '', version);
      }
    }
  })();
  return {
    stop() {
      stopped.abort();
      return running;
    },
  };
}

async function counts(bench: Bench, inspector: Inspector): Promise<Counts> {
  return {
    connections: await bench.metric('live_connections'),
    subscriptions: await bench.metric('live_subscriptions'),
    topics: await bench.metric('live_topics'),
    groups: await bench.metric('live_groups'),
    natsSubscriptions: await bench.natsSubscriptions(),
    timers: await inspector.timers(),
  };
}

function isAbove(now: Counts, baseline: Counts): boolean {
  return (Object.keys(baseline) as (keyof Counts)[]).some((name) => now[name] > baseline[name]);
}

function megabytes(bytes: number): number {
  return round(bytes / 1024 ** 2);
}
