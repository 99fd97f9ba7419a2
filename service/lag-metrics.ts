// Figures that show a subgraph falling behind: its consumers, its outbox and its connections. Asked for when they are scraped.
import type { ConsumerDefinition } from './consumer.ts';
import type { Database } from './database.ts';
import type { Broker } from './nats.ts';
import { OutboxMessage } from './outbox.ts';
import { Gauge } from './telemetry.ts';
import type { Registry } from './telemetry.ts';

export interface LagMetricsOptions {
  /** The pools of the subgraph's database, by what they are for. */
  readonly pools: Readonly<Record<'requests' | 'background', Database>>;
  readonly broker: Broker;
  readonly consumers: readonly ConsumerDefinition[];
  readonly metrics: Registry;
}

/** Registers them. What cannot be asked just now (no broker, no database) keeps its last value; readiness tells of that. */
export function registerLagMetrics({ pools, broker, consumers, metrics }: LagMetricsOptions): void {
  const registers = [metrics];
  new Gauge({
    name: 'consumer_pending',
    help: 'Messages of a durable that are not handled yet, for all its instances together.',
    labelNames: ['durable'],
    registers,
    async collect() {
      if (!broker.isConnected()) return;
      const manager = await (await broker.connection).jetstreamManager({ checkAPI: false });
      await Promise.all(
        consumers.map(async ({ stream, durable }) => {
          const info = await manager.consumers.info(stream, durable).catch(() => undefined);
          if (info !== undefined) this.set({ durable }, info.num_pending + info.num_ack_pending);
        }),
      );
    },
  });
  new Gauge({
    name: 'outbox_oldest_seconds',
    help: 'Age of the oldest event that is not yet stored in the stream; 0 when there is none.',
    registers,
    async collect() {
      const oldest = await pools.background
        .read()
        .find(OutboxMessage, { publishedAt: null }, { orderBy: { seq: 'asc' }, limit: 1, fields: ['createdAt'] })
        .catch(() => undefined);
      if (oldest === undefined) return;
      const [row] = oldest;
      this.set(row === undefined ? 0 : Math.max(0, (Date.now() - row.createdAt.getTime()) / 1000));
    },
  });
  new Gauge({
    name: 'database_connections',
    help: 'Connections to the database: in use, idle, and requests that wait for one.',
    labelNames: ['pool', 'state'],
    registers,
    async collect() {
      for (const [pool, database] of Object.entries(pools)) {
        const { used, idle, waiting } = await database.connections();
        this.set({ pool, state: 'used' }, used);
        this.set({ pool, state: 'idle' }, idle);
        this.set({ pool, state: 'waiting' }, waiting);
      }
    },
  });
}
