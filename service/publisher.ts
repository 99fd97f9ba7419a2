// Publishes outbox rows to a stream: orders side by side, the versions of one order one after the other, and marks what is stored.
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamName } from '../schema/events.ts';
import { markStored } from './database-outbox.ts';
import type { Database } from './database.ts';
import type { Logger } from './log.ts';
import { toNatsHeaders } from './nats.ts';
import type { Broker } from './nats.ts';
import { OutboxMessage } from './outbox.ts';
import { currentTraceparent, inSpan, isRecorded, SpanKind } from './telemetry.ts';

export type PendingMessage = Pick<
  OutboxMessage,
  'seq' | 'id' | 'aggregateId' | 'version' | 'subject' | 'headers' | 'payload' | 'createdAt'
>;

type MessageHeaders = PendingMessage['headers'];

export interface PublisherOptions {
  readonly database: Database;
  readonly broker: Broker;
  readonly stream: StreamName;
  readonly log: Logger;
  readonly onPublished: (message: PendingMessage) => void;
  /** The stream's generation; undefined while it has to be looked at first. */
  readonly generation: () => number | undefined;
  /** The stream has lost messages, as another instance has found: it has to be looked at before more is published. */
  readonly onOutdated: () => void;
}

export interface Publisher {
  /**
   * Queues rows behind those of their aggregates that are still on their way. Resolves when each is stored or given back.
   * @param leaseEnds when this process's claim on the rows ends, in milliseconds since the epoch; later they are given back instead,
   *   as another instance may be ahead of us (this process was stopped and continued).
   * @param generation of the stream when it was last looked at; once it has to be looked at again, rows are given back instead.
   * @returns the first failure, if any.
   */
  publish(messages: readonly PendingMessage[], leaseEnds: number, generation: number): Promise<unknown>;
  /** Whether the row was queued here and is not yet marked as stored, nor given back. */
  isUnderWay(seq: number): boolean;
  /**
   * Counts how often rows were given back. While it stays the same, what was on its way here is still so, or stored; when it has
   * changed, a look at what is on its way is out of date.
   */
  returned(): number;
  /** Resolves when nothing is on its way and everything is marked. */
  idle(): Promise<void>;
}

/** What is on its way of one aggregate. After a failure nothing behind it is sent: all is given back, to be claimed again in order. */
interface Lane {
  tail: Promise<void>;
  queued: number;
  failure: unknown;
}

export const publishTimeoutMs = 4_000;
const markRetryMs = 500;

export function createPublisher(options: PublisherOptions): Publisher {
  const { broker, onPublished } = options;
  const lanes = new Map<string, Lane>();
  const underWay = new Set<number>();
  const marks = createMarks(options, (seq) => underWay.delete(seq));

  const sendVersion = async (
    lane: Lane,
    messages: readonly PendingMessage[],
    leaseEnds: number,
    generation: number,
  ): Promise<void> => {
    if (options.generation() !== generation) lane.failure ??= new Error('the stream may have lost messages');
    if (lane.failure === undefined && Date.now() > leaseEnds - publishTimeoutMs) {
      lane.failure = new Error('the claim ran out before everything was published');
    }
    if (lane.failure !== undefined) {
      for (const { seq } of messages) marks.giveBack(seq);
      return;
    }
    const jetstream = (await broker.connection).jetstream();
    // What is on its way when the connection breaks is sent again at once, instead of waiting for its time-out.
    const { promise: connectionLost, reject } = Promise.withResolvers<never>();
    connectionLost.catch(() => undefined);
    const stopWatching = broker.onDisconnect(() => reject(new Error('the connection to the broker was lost')));
    await Promise.all(
      messages.map(async (message) => {
        try {
          const sent = traced(message, (headers) =>
            jetstream.publish(message.subject, message.payload, {
              msgID: message.id,
              timeout: publishTimeoutMs,
              headers: toNatsHeaders(headers),
            }),
          );
          marks.stored(message.seq, (await Promise.race([sent, connectionLost])).seq, generation);
          onPublished(message);
        } catch (error) {
          lane.failure ??= error;
          marks.giveBack(message.seq);
        }
      }),
    );
    stopWatching();
  };

  const enqueue = (
    aggregateId: string,
    messages: readonly PendingMessage[],
    leaseEnds: number,
    generation: number,
  ): Promise<unknown> => {
    const lane = lanes.get(aggregateId) ?? { tail: Promise.resolve(), queued: 0, failure: undefined };
    lanes.set(aggregateId, lane);
    for (const sameVersion of Map.groupBy(messages, (message) => message.version).values()) {
      lane.queued += 1;
      lane.tail = lane.tail.then(async () => {
        await sendVersion(lane, sameVersion, leaseEnds, generation);
        lane.queued -= 1;
        if (lane.queued > 0) return;
        // A failed lane stays until its rows are given back: what comes meanwhile must not go out before them.
        if (lane.failure !== undefined) await marks.settled();
        if (lane.queued === 0 && lanes.get(aggregateId) === lane) lanes.delete(aggregateId);
      });
    }
    return lane.tail.then(() => lane.failure);
  };

  return {
    async publish(messages, leaseEnds, generation) {
      for (const { seq } of messages) underWay.add(seq);
      const byAggregate = Map.groupBy(messages, (message) => message.aggregateId);
      const failures = await Promise.all(
        [...byAggregate].map(([aggregateId, rows]) => enqueue(aggregateId, rows, leaseEnds, generation)),
      );
      return failures.find((failure) => failure !== undefined);
    },
    isUnderWay: (seq) => underWay.has(seq),
    returned: () => marks.returned(),
    async idle() {
      await Promise.all([...lanes.values()].map((lane) => lane.tail));
      await marks.settled();
    },
  };
}

/** Sends a message; where its trace is recorded, as a span of it that those who receive the message follow from. */
function traced<T>(
  { subject, id, headers }: PendingMessage,
  send: (headers: MessageHeaders) => Promise<T>,
): Promise<T> {
  const { traceparent } = headers;
  if (!isRecorded(traceparent)) return send(headers);
  const attributes = {
    'messaging.system': 'nats',
    'messaging.destination.name': subject,
    'messaging.message.id': id,
  };
  return inSpan(
    `${headers['ce-type'] ?? 'message'} publish`,
    { kind: SpanKind.PRODUCER, traceparent, attributes },
    () => send({ ...headers, traceparent: currentTraceparent() ?? traceparent }),
  );
}

/** Writes down in the outbox what was stored and what is free again: many rows in one statement, while the next ones gather. */
function createMarks(
  { database, log, stream, onOutdated }: PublisherOptions,
  onWritten: (seq: number) => void,
): {
  stored(seq: number, streamSeq: number, generation: number): void;
  giveBack(seq: number): void;
  returned(): number;
  settled(): Promise<void>;
} {
  let stored = new Map<number, { readonly streamSeq: number; readonly generation: number }>();
  let givenBack: number[] = [];
  let returned = 0;
  let writing: Promise<void> | undefined;

  const write = async (): Promise<void> => {
    while (stored.size > 0 || givenBack.length > 0) {
      const [rows, free] = [stored, givenBack];
      stored = new Map();
      givenBack = [];
      try {
        for (const [generation, marked] of Map.groupBy(rows, ([, mark]) => mark.generation)) {
          const places = new Map(marked.map(([seq, { streamSeq }]) => [seq, streamSeq]));
          if (await markStored(database, stream, generation, places)) continue;
          onOutdated();
          free.push(...places.keys());
        }
        if (free.length > 0) {
          const unclaimed = { claimedBy: null, claimedUntil: null };
          await database.read().nativeUpdate(OutboxMessage, { seq: { $in: free }, publishedAt: null }, unclaimed);
          returned += 1;
        }
        for (const seq of [...rows.keys(), ...free]) onWritten(seq);
      } catch (error) {
        // Not a loss: an unmarked row is published again, and the broker knows it by its id.
        log.warn({ error, stream }, 'published events could not be marked; trying again');
        stored = new Map([...rows, ...stored]);
        givenBack = [...free, ...givenBack];
        await delay(markRetryMs);
      }
    }
    writing = undefined;
  };
  const start = (): void => {
    // On the next tick, so that what is stored together is marked together.
    writing ??= Promise.resolve().then(write);
  };
  return {
    stored(seq, streamSeq, generation) {
      stored.set(seq, { streamSeq, generation });
      start();
    },
    giveBack(seq) {
      givenBack.push(seq);
      start();
    },
    returned: () => returned,
    settled: () => writing ?? Promise.resolve(),
  };
}
