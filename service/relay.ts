// The relay: publishes what stands in the outbox, in version order for each aggregate, and again whatever a stream has lost.
import { randomUUID } from 'node:crypto';
import type { StreamName } from '../schema/events.ts';
import { aggregatesWithEarlierRows, claimRows } from './database-outbox.ts';
import type { TransactionHook } from './database-transactions.ts';
import type { Database, EntityManager } from './database.ts';
import { InboxEntry } from './inbox.ts';
import type { Logger } from './log.ts';
import type { Broker, StreamSettings } from './nats.ts';
import { OutboxMessage, stagedEvents } from './outbox.ts';
import { createPublisher, publishTimeoutMs } from './publisher.ts';
import { verifyStream } from './stream-recovery.ts';
import { Counter, Gauge, Histogram } from './telemetry.ts';
import type { Registry } from './telemetry.ts';

export interface RelayOptions {
  readonly database: Database;
  /** Another pool of the same database that events are written through; the relay itself takes no connection of it. */
  readonly requests?: Database;
  readonly broker: Broker;
  readonly stream: StreamName;
  readonly streamSettings: StreamSettings;
  readonly log: Logger;
  readonly metrics: Registry;
}

/** Rows claimed at once: bounds memory and how much a dead relay holds up. */
const batchSize = 500;
/** Longer than a publish may take, short enough that a dead or stopped relay's rows are soon taken over. */
const leaseMs = publishTimeoutMs + 2_000;
/** The net below the fast way: finds rows of instances that died, and storage that was lost. */
const pollMs = 1_000;
/** While this process has just left rows to the slow way, as another instance is still busy with earlier ones. */
const hurriedPollMs = 25;
const pruneMs = 60_000;

/**
 * Starts publishing, in two ways. The fast way: a transaction claims its own events as it writes them, and they go out right after
 * its commit. The slow way, for what the fast one may not take: claims under a row lock, one relay at a time. Either way a row is
 * left alone while an earlier one of its aggregate is unpublished elsewhere, so no instance can overtake another.
 * @returns how to stop: what is being published is finished first.
 */
export function startRelay(options: RelayOptions): () => Promise<void> {
  const { database, broker, stream, log } = options;
  const me = randomUUID();
  const metrics = relayMetrics(options.metrics, () =>
    database.read().count(OutboxMessage, { stream, publishedAt: null }),
  );
  const publisher = createPublisher({
    ...{ database, broker, stream, log },
    generation: () => generation,
    onOutdated() {
      generation = undefined;
      alarm.ring();
    },
    onPublished({ createdAt }) {
      metrics.published.inc({ stream });
      metrics.delay.observe({ stream }, (Date.now() - createdAt.getTime()) / 1000);
    },
  });
  const alarm = createAlarm();
  let stopped = false;
  /** Of the stream when it was last looked at; undefined while it has to be looked at first. */
  let generation: number | undefined;
  let connections = 0;
  /** In which generation, and after how many returns, a transaction claimed its events. */
  const claims = new WeakMap<EntityManager, { readonly generation: number; readonly returned: number }>();
  /** Rows of this process that the slow way has not taken yet, and when the last of them was left to it. */
  const leftBehind = new Set<number>();
  let leftBehindAt = 0;
  const leaveBehind = (rows: readonly OutboxMessage[]): void => {
    for (const { seq } of rows) leftBehind.add(seq);
    leftBehindAt = Date.now();
    alarm.ring();
  };

  const hook: TransactionHook = {
    async beforeCommit(em) {
      const events = stagedEvents(em);
      const claiming = generation;
      if (events.length === 0 || claiming === undefined || !broker.isConnected()) return;
      const claim = { generation: claiming, returned: publisher.returned() };
      const waiting = await aggregatesWithEarlierRows(em, stream, me, changedBefore(events), publisher.isUnderWay);
      claims.set(em, claim);
      const claimedUntil = new Date(Date.now() + leaseMs);
      for (const event of events)
        if (!waiting.has(event.aggregateId)) Object.assign(event, { claimedBy: me, claimedUntil });
    },
    afterCommit(em) {
      const events = stagedEvents(em);
      const claim = claims.get(em);
      const mine = claim === undefined ? [] : events.filter((event) => event.claimedBy === me);
      if (mine.length < events.length) leaveBehind(events.filter((event) => event.claimedBy !== me));
      const leaseEnds = mine[0]?.claimedUntil?.getTime();
      if (claim === undefined || leaseEnds === undefined) return;
      // What was on its way when these were claimed may be so no more: these must not go before it, so they are given back behind it.
      const overtaking = claim.returned !== publisher.returned();
      void publisher.publish(mine, overtaking ? 0 : leaseEnds, claim.generation).then((failure) => {
        if (failure !== undefined) leaveBehind(mine);
      });
    },
  };
  const stopHooks = [database, options.requests].map((pool) => pool?.onTransaction(hook));
  const stopConnect = broker.onConnect(() => {
    // The broker may have come back without its storage, or without the end of it: look before publishing on.
    connections += 1;
    generation = undefined;
    alarm.ring();
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
        generation = undefined;
        log.warn({ error, stream, failures }, 'relay could not publish; it will try again');
        await alarm.pause(Math.min(100 * 2 ** failures, 5_000));
        continue;
      }
      // Longer than any claim holds they cannot be waiting: another instance has taken them.
      if (Date.now() - leftBehindAt > leaseMs + pollMs) leftBehind.clear();
      const hurried = broker.isConnected() && leftBehind.size > 0;
      await alarm.waitFor(hurried ? hurriedPollMs : pollMs);
    }
  };

  /** Publishes one batch the slow way; gives its size. */
  const cycle = async (): Promise<number> => {
    // Kept aside: the broker may be lost at any moment below, and what is claimed then is given back.
    const current = generation ?? (await lookAtStream());
    if (current === undefined) return cycle();
    const batch = await claimRows(database, { stream, me, leaseMs, limit: batchSize });
    for (const { seq } of batch) leftBehind.delete(seq);
    if (batch.length === 0) return 0;
    const failure = await publisher.publish(batch, Date.now() + leaseMs, current);
    if (failure !== undefined) throw new Error('not everything could be published', { cause: failure });
    return batch.length;
  };

  /** Gives nothing when the broker was connected anew meanwhile, as it may have come back with less. */
  const lookAtStream = async (): Promise<number | undefined> => {
    const before = connections;
    // What was stored before is marked first, so that it is looked at too.
    await publisher.idle();
    const found = await verifyStream(options);
    generation = before === connections ? found : undefined;
    return generation;
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
    for (const stopHook of stopHooks) stopHook?.();
    stopConnect();
    alarm.stop();
    await running;
    await publisher.idle();
  };
}

/** The aggregates that had events before these; a first version has none before it. */
const changedBefore = (events: readonly OutboxMessage[]): string[] => [
  ...new Set(events.filter(({ version }) => version > 1).map(({ aggregateId }) => aggregateId)),
];

/** A wait that can be cut short, also by a ring that came before it. */
function createAlarm(): {
  ring(): void;
  /** Waits for a ring or `ms`. */
  waitFor(ms: number): Promise<void>;
  /** Waits for `ms`, whatever rings. */
  pause(ms: number): Promise<void>;
  /** Ends every wait, now and later. */
  stop(): void;
} {
  let rung = false;
  let stopped = false;
  let onRing = (): void => undefined;
  const wait = async (ms: number, deaf: boolean): Promise<void> => {
    if (stopped || (rung && !deaf)) {
      rung = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      onRing = () => {
        if (deaf && !stopped) return;
        clearTimeout(timer);
        resolve();
      };
    });
    rung = false;
    onRing = () => undefined;
  };
  return {
    ring() {
      rung = true;
      onRing();
    },
    waitFor: (ms) => wait(ms, false),
    pause: (ms) => wait(ms, true),
    stop() {
      stopped = true;
      onRing();
    },
  };
}

function relayMetrics(registry: Registry, countPending: () => Promise<number>) {
  new Gauge({
    name: 'outbox_pending',
    help: 'Events not yet stored in the stream.',
    registers: [registry],
    async collect() {
      // Without the database the last value stays, and the other figures can still be read.
      const pending = await countPending().catch(() => undefined);
      if (pending !== undefined) this.set(pending);
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
