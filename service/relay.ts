// The relay: publishes what stands in the outbox, in version order for each aggregate, and again whatever a stream has lost.
import { randomUUID } from 'node:crypto';
import type { JetStreamClient } from 'nats';
import type { StreamName } from '../schema/events.ts';
import { forUpdate } from './database.ts';
import type { Database } from './database.ts';
import { InboxEntry } from './inbox.ts';
import type { Logger } from './log.ts';
import { toNatsHeaders } from './nats.ts';
import type { Broker, StreamSettings } from './nats.ts';
import { OutboxMessage, RelayLock } from './outbox.ts';
import { verifyStream } from './stream-recovery.ts';
import { Counter, Gauge, Histogram } from './telemetry.ts';
import type { Registry } from './telemetry.ts';

export interface RelayOptions {
  readonly database: Database;
  readonly broker: Broker;
  readonly stream: StreamName;
  readonly streamSettings: StreamSettings;
  readonly log: Logger;
  readonly metrics: Registry;
}

interface PendingMessage {
  readonly seq: number;
  readonly id: string;
  readonly aggregateId: string;
  readonly version: number;
  readonly subject: string;
  readonly headers: Record<string, string>;
  readonly payload: string;
  readonly createdAt: Date;
}

/** Rows claimed at once: bounds memory and how much a dead relay holds up. */
const batchSize = 500;
/** Longer than a publish may take, short enough that a dead or stopped relay's rows are soon taken over. */
const leaseMs = 6_000;
const publishTimeoutMs = 4_000;
/** The net below the wake-up at each commit: finds rows of other instances that died, and storage that was lost. */
const pollMs = 1_000;
const pruneMs = 60_000;

/**
 * Starts publishing. Several instances may run: claims are taken one relay at a time under a row lock, and a row is left alone
 * while an earlier one of its aggregate is still claimed elsewhere, so no instance can overtake another within an aggregate.
 * @returns how to stop: what is being published is finished first.
 */
export function startRelay(options: RelayOptions): () => Promise<void> {
  const { database, broker, stream, log } = options;
  const me = randomUUID();
  const metrics = relayMetrics(options.metrics, () =>
    database.read().count(OutboxMessage, { stream, publishedAt: null }),
  );
  let stopped = false;
  let streamVerified = false;
  let wake = (): void => undefined;
  let woken = false;
  const wakeUp = (): void => {
    woken = true;
    wake();
  };
  const stopCommit = database.onCommit(wakeUp);
  const stopConnect = broker.onConnect(() => {
    // The broker may have come back without its storage, or without the end of it: look before publishing on.
    streamVerified = false;
    wakeUp();
  });

  const run = async (): Promise<void> => {
    let failures = 0;
    let prunedAt = 0;
    while (!stopped) {
      try {
        const found = broker.isConnected() ? await cycle() : 0;
        failures = 0;
        if (Date.now() - prunedAt > pruneMs) {
          prunedAt = Date.now();
          await prune();
        }
        if (found > 0) continue;
      } catch (error) {
        failures += 1;
        streamVerified = false;
        log.warn({ error, stream, failures }, 'relay could not publish; it will try again');
      }
      await pause(failures === 0 ? pollMs : Math.min(100 * 2 ** failures, 5_000), failures > 0);
    }
  };

  /** Waits for the next commit or the time-out; after a failure for the time-out alone. */
  const pause = async (ms: number, ignoreWake: boolean): Promise<void> => {
    if (woken && !ignoreWake && !stopped) {
      woken = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        if (ignoreWake && !stopped) return;
        clearTimeout(timer);
        resolve();
      };
    });
    woken = false;
    wake = () => undefined;
  };

  /** Publishes one batch; gives its size. */
  const cycle = async (): Promise<number> => {
    const connection = await broker.connection;
    if (!streamVerified) {
      await verifyStream(options);
      streamVerified = true;
    }
    woken = false;
    const batch = await claim(database, stream, me);
    if (batch.length === 0) return 0;
    const leaseEnds = Date.now() + leaseMs;
    const published = new Map<number, number>();
    // Whatever is on its way when the connection breaks is sent again at once, instead of waiting for its time-out.
    const { promise: connectionLost, reject } = Promise.withResolvers<never>();
    connectionLost.catch(() => undefined);
    const stopWatching = broker.onDisconnect(() => reject(new Error('the connection to the broker was lost')));
    const failed = await publishInOrder(
      connection.jetstream(),
      batch,
      leaseEnds,
      connectionLost,
      (message, streamSeq) => {
        published.set(message.seq, streamSeq);
        metrics.published.inc({ stream });
        metrics.delay.observe({ stream }, (Date.now() - message.createdAt.getTime()) / 1000);
      },
    );
    stopWatching();
    await settle(database, batch, published);
    if (failed !== undefined) throw failed;
    return batch.length;
  };

  const prune = async (): Promise<void> => {
    const retentionMs = options.streamSettings.maxAgeHours * 3_600_000;
    const em = database.read();
    await em.nativeDelete(OutboxMessage, { stream, publishedAt: { $lt: new Date(Date.now() - retentionMs) } });
    // An event may be published again as long as its outbox row is kept, and then be delivered for as long as the stream keeps it.
    await em.nativeDelete(InboxEntry, { receivedAt: { $lt: new Date(Date.now() - 2 * retentionMs) } });
  };

  const running = run();
  return async () => {
    stopped = true;
    stopCommit();
    stopConnect();
    wake();
    await running;
  };
}

/** Takes the oldest unpublished rows that no other relay has, nor may be about to overtake. */
async function claim(database: Database, stream: StreamName, me: string): Promise<PendingMessage[]> {
  return database.transaction(async (em) => {
    // Claims and marks need no durability of their own: a lost one only means publishing again, and the broker drops that.
    await em.execute('set local synchronous_commit = off');
    await em.findOneOrFail(RelayLock, { stream }, forUpdate);
    const now = new Date();
    const rows = await em.execute<{ seq: string }[]>(
      `select o.seq from outbox o
       where o.stream = ? and o.published_at is null and (o.claimed_until is null or o.claimed_until < ? or o.claimed_by = ?)
         and not exists (select 1 from outbox e where e.aggregate_id = o.aggregate_id and e.stream = o.stream
                         and e.published_at is null and e.seq < o.seq and e.claimed_until >= ? and e.claimed_by <> ?)
       order by o.seq limit ${String(batchSize)}`,
      [stream, now, me, now, me],
    );
    if (rows.length === 0) return [];
    const seqs = rows.map((row) => Number(row.seq));
    await em.nativeUpdate(
      OutboxMessage,
      { seq: { $in: seqs } },
      { claimedBy: me, claimedUntil: new Date(now.getTime() + leaseMs) },
    );
    return em.find(OutboxMessage, { seq: { $in: seqs } }, { orderBy: { seq: 'asc' } });
  });
}

/**
 * Publishes all aggregates at once, each one's versions one after the other: a version goes out only when the one before it is
 * stored, so a connection that breaks between two can never leave them in the wrong order.
 * @returns the first failure; what follows it in its aggregate is not sent.
 */
async function publishInOrder(
  jetstream: JetStreamClient,
  batch: readonly PendingMessage[],
  leaseEnds: number,
  connectionLost: Promise<never>,
  onPublished: (message: PendingMessage, streamSeq: number) => void,
): Promise<unknown> {
  let failure: unknown;
  const byAggregate = Map.groupBy(batch, (message) => message.aggregateId);
  await Promise.all(
    [...byAggregate.values()].map(async (messages) => {
      for (const sameVersion of Map.groupBy(messages, (message) => message.version).values()) {
        if (failure !== undefined) return;
        // Past the lease another relay may already be ahead of us (this process was stopped and continued).
        if (Date.now() > leaseEnds - publishTimeoutMs) {
          failure ??= new Error('the claim ran out before everything was published');
          return;
        }
        const results = await Promise.allSettled(
          sameVersion.map(async (message) => {
            const published = jetstream.publish(message.subject, message.payload, {
              msgID: message.id,
              timeout: publishTimeoutMs,
              headers: toNatsHeaders(message.headers),
            });
            const ack = await Promise.race([published, connectionLost]);
            onPublished(message, ack.seq);
          }),
        );
        failure ??= results.find((result) => result.status === 'rejected')?.reason;
      }
    }),
  );
  return failure;
}

/** Marks what was stored and gives the rest free. */
async function settle(
  database: Database,
  batch: readonly PendingMessage[],
  published: ReadonlyMap<number, number>,
): Promise<void> {
  const now = new Date();
  await database.read().transactional(async (em) => {
    await em.execute('set local synchronous_commit = off');
    if (published.size > 0) {
      const seqs = [...published.keys()];
      const values = seqs.map(() => '(?::bigint, ?::bigint)').join(', ');
      await em.execute(
        `update outbox o set published_at = ?, stream_seq = v.stream_seq, claimed_by = null, claimed_until = null
         from (values ${values}) as v (seq, stream_seq) where o.seq = v.seq`,
        [now, ...seqs.flatMap((seq) => [seq, published.get(seq) ?? 0])],
      );
    }
    const rest = batch.filter((message) => !published.has(message.seq)).map((message) => message.seq);
    if (rest.length > 0) {
      await em.nativeUpdate(OutboxMessage, { seq: { $in: rest } }, { claimedBy: null, claimedUntil: null });
    }
  });
}

function relayMetrics(registry: Registry, countPending: () => Promise<number>) {
  new Gauge({
    name: 'outbox_pending',
    help: 'Events not yet stored in the stream.',
    registers: [registry],
    async collect() {
      this.set(await countPending());
    },
  });
  return {
    published: new Counter({
      name: 'outbox_published_total',
      help: 'Events stored in the stream.',
      labelNames: ['stream'],
      registers: [registry],
    }),
    delay: new Histogram({
      name: 'outbox_delay_seconds',
      help: 'From the change to its event being stored in the stream.',
      labelNames: ['stream'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300],
      registers: [registry],
    }),
  };
}
