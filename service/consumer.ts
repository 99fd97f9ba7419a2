// Consumers: durable JetStream consumers whose events take effect once, in order for each aggregate, and whose poison is parked.
import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumerMessages, JetStreamManager, JsMsg, NatsConnection } from 'nats';
import type { EventType, StreamName } from '../schema/events.ts';
import { readCloudEvent } from './cloudevent.ts';
import type { ReceivedEvent } from './cloudevent.ts';
import type { InboxMessage } from './database-transactions.ts';
import { codeOf, errorTable } from './errors.ts';
import { withLogFields } from './log.ts';
import type { Logger } from './log.ts';
import { ensureConsumer, ensureStream, isNotFound, toNatsHeaders } from './nats.ts';
import type { Broker, StreamSettings } from './nats.ts';
import { Counter, Histogram, inSpan, SpanKind } from './telemetry.ts';
import type { Registry } from './telemetry.ts';

/** What a handler gets: the event, and what to hand to `database.transaction` so that it takes effect once. */
export type Incoming<Type extends EventType = EventType> = ReceivedEvent<Type> & { readonly inbox: InboxMessage };

/** The handlers of a consumer by event type; types without one are acknowledged and passed over. */
export type Handlers = { readonly [Type in EventType]?: (event: Incoming<Type>) => Promise<void> };

/** One row of a subgraph's consumers table. */
export interface ConsumerDefinition {
  readonly stream: StreamName;
  /** Name of the durable, shared by all instances; also the name in the inbox. */
  readonly durable: string;
  /** One subject filter (nats-server 2.9 takes one); absent means the whole stream. */
  readonly filter?: string;
  readonly on: Handlers;
}

export interface ConsumerOptions {
  readonly broker: Broker;
  readonly streamSettings: StreamSettings;
  /** Messages handled at once, each for another aggregate. */
  readonly concurrency: number;
  readonly log: Logger;
  readonly metrics: Registry;
}

/** After this long without a sign of life the broker gives a message to another instance: how long a killed one holds it up. */
const ackWaitMs = 6_000;
/** How often this process says that it is still at work on what it has taken. */
const signOfLifeMs = 2_000;
/** An unforeseen error is tried this often, with growing pauses, before its message is parked. */
const attemptsBeforeParking = 8;

/**
 * Starts a consumer, and starts it again whenever it breaks off: no broker, no stream yet, durable or stream gone.
 * @returns how to stop: what is being handled is finished first.
 */
export function startConsumer(definition: ConsumerDefinition, options: ConsumerOptions): () => Promise<void> {
  const { broker, log } = options;
  const { stream, durable } = definition;
  const metrics = consumerMetrics(options.metrics);
  // From zero: a count that begins with its first dead letter would look like one that does not grow.
  metrics.deadLetters.inc({ durable }, 0);
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  let messages: ConsumerMessages | undefined;
  let connections = 0;
  /** The newest message that this process was given; a stream that no longer holds it has lost its end. */
  let newest: Place | undefined;

  const run = async (): Promise<void> => {
    while (!isStopping()) {
      let pauseMs = 0;
      try {
        const connection = await Promise.race([broker.connection, aborted(stopping.signal)]);
        if (connection === undefined) return;
        const opened = connections;
        messages = await open(connection);
        // Stopped, or connected anew, while it was being opened: what was looked at is out of date.
        if (isStopping() || connections !== opened) void messages.close();
        await handleAll(connection, messages);
      } catch (error) {
        // A stream that its owner has not made yet is the ordinary case at first start.
        if (!isNotFound(error)) log.warn({ error, durable }, 'consumer broke off; it will start again');
        pauseMs = 500;
      }
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };

  const open = async (connection: NatsConnection): Promise<ConsumerMessages> => {
    const manager = await connection.jetstreamManager({ checkAPI: false });
    const settings = { filter: definition.filter, ackWaitMs, maxAckPending: options.concurrency * 4 };
    await ensureConsumer(manager, stream, durable, settings);
    const [{ state }, consumer] = [await manager.streams.info(stream), await manager.consumers.info(stream, durable)];
    const isAhead = consumer.delivered.stream_seq > state.last_seq;
    if (isAhead || !(await holds(manager, stream, newest, state.first_seq))) {
      // The stream lost its end: this durable would pass over what is published in its place. The inbox knows the repeats.
      log.warn({ durable, stream }, 'consumer is ahead of its stream: making it anew');
      newest = undefined;
      await manager.consumers.delete(stream, durable);
      await ensureConsumer(manager, stream, durable, settings);
    }
    const handle = await connection.jetstream().consumers.get(stream, durable);
    return handle.consume({ max_messages: options.concurrency * 2, abort_on_missing_resource: true });
  };

  const handleAll = async (connection: NatsConnection, incoming: ConsumerMessages): Promise<void> => {
    const lanes = createLanes(options.concurrency);
    const taken = new Set<JsMsg>();
    const signsOfLife = setInterval(() => {
      for (const message of taken) message.working();
    }, signOfLifeMs);
    try {
      for await (const message of incoming) {
        if (message.seq > (newest?.seq ?? 0)) newest = placeOf(message);
        await lanes.run(message.headers?.get('ce-subject') ?? message.subject, async () => {
          taken.add(message);
          await handleOne(connection, message);
          taken.delete(message);
        });
      }
      await lanes.idle();
    } finally {
      clearInterval(signsOfLife);
    }
  };

  const handleOne = async (connection: NatsConnection, message: JsMsg): Promise<void> => {
    const started = performance.now();
    const outcome = await inSpan(
      `${message.headers?.get('ce-type') ?? 'message'} process`,
      { kind: SpanKind.CONSUMER, traceparent: message.headers?.get('traceparent') || undefined },
      () => withLogFields({ orderId: orderIdOf(message), durable }, () => attempt(connection, message)),
    );
    metrics.handled.inc({ durable, outcome });
    metrics.duration.observe({ durable }, (performance.now() - started) / 1000);
  };

  const attempt = async (connection: NatsConnection, message: JsMsg): Promise<'ack' | 'nak' | 'parked'> => {
    try {
      const replayedFor = message.headers?.get('replay-for') || durable;
      if (replayedFor !== durable) {
        message.ack();
        return 'ack';
      }
      const event = readCloudEvent((name) => message.headers?.get(name) || undefined, message.string());
      const handler = definition.on[event.type] as ((event: Incoming) => Promise<void>) | undefined;
      await handler?.({ ...event, inbox: { consumer: durable, id: event.id } });
      message.ack();
      return 'ack';
    } catch (error) {
      const code = codeOf(error);
      const { disposition, level } = errorTable[code];
      const attempts = message.info.deliveryCount;
      const hopeless = code === 'INTERNAL_SERVER_ERROR' && attempts >= attemptsBeforeParking;
      if (disposition === 'nak' && !hopeless) {
        log[level]({ error, code, attempts, subject: message.subject }, 'message will be tried again');
        message.nak(Math.min(100 * 2 ** Math.min(attempts, 10), 15_000));
        return 'nak';
      }
      await park(connection, message, code, error);
      return 'parked';
    }
  };

  /** Parks a message that cannot take effect, with all it takes to see why and to deliver it again. */
  const park = async (connection: NatsConnection, message: JsMsg, code: string, error: unknown): Promise<void> => {
    try {
      await ensureStream(await connection.jetstreamManager({ checkAPI: false }), 'DEAD_LETTER', options.streamSettings);
      const headers = toNatsHeaders({
        'dead-letter-durable': durable,
        'dead-letter-stream': stream,
        'dead-letter-stream-seq': String(message.seq),
        'dead-letter-subject': message.subject,
        'dead-letter-code': code,
        'dead-letter-reason': oneLine(error instanceof Error ? error.message : String(error)),
        'dead-letter-stack': oneLine(error instanceof Error ? (error.stack ?? '') : ''),
        'dead-letter-time': new Date().toISOString(),
      });
      for (const [name, values] of message.headers ?? []) for (const value of values) headers.append(name, value);
      headers.delete('Nats-Msg-Id');
      await connection.jetstream().publish(`dead-letter.${durable}`, message.data, {
        headers,
        // With its time: a stream made anew, or one that lost its end, uses its sequences again.
        msgID: `${durable}-${stream}-${String(message.seq)}-${String(message.info.timestampNanos)}`,
      });
      log.error({ error, code, subject: message.subject, streamSeq: message.seq }, 'message parked as a dead letter');
      metrics.deadLetters.inc({ durable });
      message.term();
    } catch (failure) {
      log.error({ error: failure, subject: message.subject }, 'message could not be parked; it will be tried again');
      message.nak(5_000);
    }
  };

  // The broker may have come back with a shorter stream or without the durable: look again before going on.
  const stopConnect = broker.onConnect(() => {
    connections += 1;
    void messages?.close();
  });
  const running = run();
  return async () => {
    stopConnect();
    stopping.abort();
    await messages?.close();
    await running;
  };
}

/** Where a message is stored, and since when. */
interface Place {
  readonly seq: number;
  readonly storedAt: number;
}

const placeOf = ({ seq, info }: JsMsg): Place => ({ seq, storedAt: Math.floor(info.timestampNanos / 1e6) });

/** Whether a stream still holds what it did, or has let it go for its age. Where its end was lost, other messages take the places. */
async function holds(
  manager: JetStreamManager,
  stream: StreamName,
  place: Place | undefined,
  firstSeq: number,
): Promise<boolean> {
  if (place === undefined || place.seq < firstSeq) return true;
  try {
    const { time } = await manager.streams.getMessage(stream, { seq: place.seq });
    // A delivery tells nanoseconds in a number that is not exact.
    return Math.abs(time.getTime() - place.storedAt) <= 1;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** Runs work of one key in order, of different keys at once, up to `limit`; `run` waits for a place, which is the back-pressure. */
function createLanes(limit: number): {
  run(key: string, work: () => Promise<void>): Promise<void>;
  idle(): Promise<void>;
} {
  const lanes = new Map<string, Promise<void>>();
  let active = 0;
  let onFree = (): void => undefined;
  return {
    async run(key, work) {
      while (active >= limit) await new Promise<void>((resolve) => (onFree = resolve));
      active += 1;
      const lane = (lanes.get(key) ?? Promise.resolve()).then(work).finally(() => {
        active -= 1;
        if (lanes.get(key) === lane) lanes.delete(key);
        onFree();
      });
      lanes.set(key, lane);
    },
    async idle() {
      await Promise.all(lanes.values());
    },
  };
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));

/** The order a message is about: facts carry it as the last token of their subject. */
const orderIdOf = (message: JsMsg): string | undefined => message.subject.split('.').at(-1);

/** Header values hold one line. */
const oneLine = (text: string): string => text.replaceAll(/\s*[\r\n]+\s*/g, ' | ').slice(0, 4_000);

function consumerMetrics(registry: Registry) {
  const handled = registry.getSingleMetric('consumer_messages_total');
  if (handled !== undefined) {
    return {
      handled: handled as Counter,
      deadLetters: registry.getSingleMetric('dead_letters_total') as Counter,
      duration: registry.getSingleMetric('consumer_duration_seconds') as Histogram,
    };
  }
  return {
    handled: new Counter({
      name: 'consumer_messages_total',
      help: 'Messages handled, by outcome: ack, nak (tried again later), parked.',
      labelNames: ['durable', 'outcome'],
      registers: [registry],
    }),
    deadLetters: new Counter({
      name: 'dead_letters_total',
      help: 'Messages parked as dead letters.',
      labelNames: ['durable'],
      registers: [registry],
    }),
    duration: new Histogram({
      name: 'consumer_duration_seconds',
      help: 'Time to handle a message.',
      labelNames: ['durable'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers: [registry],
    }),
  };
}
