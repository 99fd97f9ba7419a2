// From publishing to the socket, each subscriber on an order of their own, with and without fields that must be fetched.
import { setTimeout as pause } from 'node:timers/promises';
import { plainFields } from './bench.ts';
import type { Bench } from './bench.ts';
import { clockText, percentile, round } from './processes.ts';

const fetchedFields =
  'subscription ($orderId: ID!) { orderStatusChanged(orderId: $orderId) { status version reason order { id payment { status } delivery { status } } } }';

/** From publishing to the socket, each subscriber on its own order. */
export async function latency(bench: Bench, oneViewer: boolean): Promise<void> {
  const sockets = bench.small ? 1_000 : 10_000;
  const perSecond = bench.small ? 200 : 1_000;
  const seconds = 15;
  for (const [name, query] of [
    ['no fetch', plainFields],
    ['payment and delivery fetched', fetchedFields],
  ] as const) {
    const clients = await bench.start('./clients.ts');
    const specs = await bench.viewers(sockets, 1, oneViewer);
    await bench.open(clients, specs, query);
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
          bench.publish(spec.viewer, spec.orders[0] ?? '', 2 + Math.floor(sent / specs.length), `t=${clockText()}`),
        );
      }
      await pause(5);
    }
    await Promise.all(published);
    await arrived;
    const { latencies } = await clients.ask<{ latencies: number[] }>({ kind: 'latencies' });
    latencies.sort((one, other) => one - other);
    const batches = await bench.metric('live_hydration_batch_size_count');
    console.log({
      fields: name,
      subscribers: sockets,
      eventsPerSecond: Math.round((perSecond * seconds * 1000) / (performance.now() - started)),
      p50Ms: round(percentile(latencies, 0.5)),
      p99Ms: round(percentile(latencies, 0.99)),
      batchSize: batches === 0 ? undefined : round((await bench.metric('live_hydration_batch_size_sum')) / batches),
    });
    await clients.stop();
    await bench.untilMetric('live_subscriptions', 0);
  }
}
