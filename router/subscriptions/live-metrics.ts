// The figures of the live engine, for /metrics.
import { Counter, Gauge, Histogram } from '../../service/telemetry.ts';
import type { Registry } from '../../service/telemetry.ts';

export type LiveMetrics = ReturnType<typeof createLiveMetrics>;

/** Registers the live metrics; a registry takes them once. */
export function createLiveMetrics(registry: Registry) {
  const registers = [registry];
  const resumes = new Counter({
    name: 'live_resumes_total',
    help: 'Subscriptions that began at a cursor, by what became of it.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of ['replayed', 'too_long', 'expired']) resumes.inc({ outcome }, 0);
  return {
    resumes,
    connections: new Gauge({
      name: 'live_connections',
      help: 'Open connections by protocol.',
      labelNames: ['protocol'],
      registers,
    }),
    subscriptions: new Gauge({ name: 'live_subscriptions', help: 'Subscriptions that are open.', registers }),
    topics: new Gauge({ name: 'live_topics', help: 'Subjects that are watched.', registers }),
    groups: new Gauge({
      name: 'live_groups',
      help: 'Groups: one resolution and one serialisation per event each.',
      registers,
    }),
    events: new Counter({
      name: 'live_events_total',
      help: 'Messages received from the broker, by topic that took them.',
      registers,
    }),
    frames: new Counter({ name: 'live_frames_total', help: 'Results handed to clients.', registers }),
    hydrations: new Counter({
      name: 'live_hydrations_total',
      help: 'Entity requests that events asked for.',
      registers,
    }),
    batchSize: new Histogram({
      name: 'live_hydration_batch_size',
      help: 'How many entity requests went to a subgraph as one.',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
      registers,
    }),
    backlog: new Gauge({ name: 'live_backlog', help: 'Results that wait for slow or starting clients.', registers }),
    skipped: new Counter({
      name: 'live_skipped_total',
      help: 'Results that gave way to a newer one of their subject.',
      registers,
    }),
    gaps: new Counter({ name: 'live_gaps_total', help: 'Broken chains noticed on live subjects.', registers }),
    repaired: new Counter({
      name: 'live_repaired_total',
      help: 'Messages read from the stream because they did not come live.',
      registers,
    }),
    closes: new Counter({
      name: 'live_closes_total',
      help: 'Connections that the router closed, by code.',
      labelNames: ['code'],
      registers,
    }),
    ends: new Counter({
      name: 'live_ends_total',
      help: 'Subscriptions that the router ended or refused, by code.',
      labelNames: ['code'],
      registers,
    }),
  };
}
