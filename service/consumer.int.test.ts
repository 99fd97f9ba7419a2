// Consumers over real PostgreSQL and NATS: G2 (an effect once, however often delivered), G3 (in order for each aggregate), G6
// (poison is parked and the others go on), and starting again whatever broke off.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { NatsConnection } from 'nats';
import { pino } from 'pino';
import { eventually, startInfrastructure } from '../dev/testing.ts';
import type { Infrastructure } from '../dev/testing.ts';
import { startProxy } from '../tests/faults/proxy.ts';
import { cloudEventHeaders } from './cloudevent.ts';
import { startConsumer } from './consumer.ts';
import type { Handlers, Incoming } from './consumer.ts';
import { openDatabase } from './database.ts';
import { openDeadLetters } from './dead-letters.ts';
import type { Database } from './database.ts';
import { CodedError } from './errors.ts';
import { messagingTables } from './messaging-tables.ts';
import { connectBroker, ensureStream, toNatsHeaders } from './nats.ts';
import type { Broker } from './nats.ts';
import { createMetrics } from './telemetry.ts';

const Effect = defineEntity({
  name: 'Effect',
  tableName: 'effect',
  properties: { seq: p.integer().primary().autoincrement(), orderId: p.string(), version: p.integer() },
});

class Tables extends Migration {
  override up(): void {
    for (const statement of messagingTables.postgresql) this.addSql(statement);
    this.addSql('create table effect (seq serial primary key, order_id varchar(100) not null, version int not null)');
  }
}

const log = pino({ level: 'silent' });
const streamSettings = { replicas: 1, maxAgeHours: 1 };
let infrastructure: Infrastructure;
let database: Database;
let broker: Broker;
const cleanups: (() => Promise<void>)[] = [];

beforeAll(async () => {
  infrastructure = await startInfrastructure();
  database = await openDatabase({
    url: await infrastructure.postgres.createDatabase('consumer'),
    poolSize: 10,
    entities: [Effect],
    migrations: [{ name: 'tables', class: Tables }],
  });
  await database.migrate();
  broker = connectBroker({ servers: infrastructure.nats.url, name: 'test', log });
  await broker.connection;
});

afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((close) => close()));
  const manager = await (await broker.connection).jetstreamManager();
  for (const stream of ['PAYMENT', 'DEAD_LETTER']) await manager.streams.delete(stream).catch(() => undefined);
  await database.read().nativeDelete(Effect, {});
});

afterAll(async () => {
  await broker.close();
  await database.close();
  await infrastructure.close();
});

const makeStream = async (): Promise<void> => {
  await ensureStream(await (await broker.connection).jetstreamManager(), 'PAYMENT', streamSettings);
};

/** Publishes `payment.declined` of an order; `messageId` other than the event's makes the broker store it once more. */
async function publish(orderId: string, version: number, id: string, messageId = id, payload?: string): Promise<void> {
  const data = { orderId, customerId: 'alice', paymentId: 'p', reason: 'no', declinedAt: new Date().toISOString() };
  const meta = { id, source: 'payment', time: data.declinedAt, aggregateId: orderId, version, traceparent: undefined };
  const connection = await broker.connection;
  const headers = toNatsHeaders(cloudEventHeaders('payment.declined', meta));
  const options = { msgID: messageId, headers, timeout: 500 };
  // Again while the broker is coming back; the message id keeps it from being stored twice.
  await eventually(() =>
    connection
      .jetstream()
      .publish(`payment.declined.${orderId}`, payload ?? JSON.stringify(data), options)
      .then(
        () => true,
        () => false,
      ),
  );
}

function consume(handle: Handlers['payment.declined'], by = broker): void {
  const options = { broker: by, streamSettings, concurrency: 8, log, metrics: createMetrics('test') };
  const stop = startConsumer(
    { stream: 'PAYMENT', durable: 'test', on: { 'payment.declined': handle ?? recordEffect } },
    options,
  );
  cleanups.push(stop);
}

const recordEffect = async ({ data, version, inbox }: Incoming<'payment.declined'>): Promise<void> => {
  await database.transaction(async (em) => {
    em.create(Effect, { orderId: data.orderId, version }, { persist: true });
    await em.flush();
  }, inbox);
};

const effects = async (): Promise<string[]> =>
  (await database.read().find(Effect, {}, { orderBy: { seq: 'asc' } })).map(
    (row) => `${row.orderId}:${String(row.version)}`,
  );

/** Whether the consumer has been given, and has acknowledged, all there is. */
const settled = async (durable = 'test'): Promise<boolean> => {
  const manager = await (await broker.connection).jetstreamManager();
  const info = await manager.consumers.info('PAYMENT', durable).catch(() => undefined);
  return info?.num_pending === 0 && info.num_ack_pending === 0;
};

test('G2: an event takes effect once, however often it is delivered, also past the duplicate window of the broker', async () => {
  await makeStream();
  for (let copy = 0; copy < 5; copy += 1) await publish('a', 1, 'event-1', `copy-${String(copy)}`);
  await publish('a', 2, 'event-2');
  consume(recordEffect);
  consume(recordEffect);
  await eventually(() => settled());
  expect(await effects()).toEqual(['a:1', 'a:2']);
});

test('G3: events of one order are handled one after the other, those of different orders side by side', async () => {
  await makeStream();
  for (let version = 1; version <= 5; version += 1) {
    for (const order of ['a', 'b', 'c', 'd']) await publish(order, version, `${order}-${String(version)}`);
  }
  const busy = new Set<string>();
  const overlaps: string[] = [];
  const sideBySide = Promise.withResolvers<void>();
  consume(async (event) => {
    const { orderId } = event.data;
    if (busy.has(orderId)) overlaps.push(orderId);
    busy.add(orderId);
    if (busy.size > 1) sideBySide.resolve();
    // Nothing goes on before two are here at once.
    await sideBySide.promise;
    await recordEffect(event);
    busy.delete(orderId);
  });
  await eventually(() => settled());
  expect(overlaps).toEqual([]);
  const byOrder = Map.groupBy(await effects(), (entry) => entry.split(':')[0]);
  for (const [order, entries] of byOrder)
    expect(entries).toEqual([1, 2, 3, 4, 5].map((v) => `${String(order)}:${String(v)}`));
  expect(byOrder.size).toBe(4);
});

test('G6: poison is parked with its payload and reason, and the others go on', async () => {
  await makeStream();
  await publish('a', 1, 'event-3', 'event-3', '{"orderId": 7}');
  await publish('b', 1, 'event-4', 'event-4', 'not JSON');
  await publish('c', 1, 'event-5');
  consume(recordEffect);
  await eventually(() => settled());
  expect(await effects()).toEqual(['c:1']);
  const manager = await (await broker.connection).jetstreamManager();
  const first = await manager.streams.getMessage('DEAD_LETTER', { seq: 1 });
  expect(first.subject).toBe('dead-letter.test');
  expect(first.string()).toBe('{"orderId": 7}');
  expect(first.header.get('dead-letter-code')).toBe('MESSAGE_INVALID');
  expect(first.header.get('dead-letter-reason')).toContain('customerId');
  expect(first.header.get('dead-letter-subject')).toBe('payment.declined.a');
  expect((await manager.streams.info('DEAD_LETTER')).state.messages).toBe(2);
});

test('G6: a dead letter that is replayed reaches the consumer that parked it, and no other', async () => {
  await makeStream();
  await publish('a', 1, 'event-9');
  let mended = false;
  const others: string[] = [];
  const options = { broker, streamSettings, concurrency: 1, log, metrics: createMetrics('test') };
  cleanups.push(
    startConsumer(
      {
        stream: 'PAYMENT',
        durable: 'other',
        on: {
          'payment.declined': ({ data }) => {
            others.push(data.orderId);
            return Promise.resolve();
          },
        },
      },
      options,
    ),
  );
  consume(async (event) => {
    if (!mended) throw new CodedError('MESSAGE_INVALID', 'not yet');
    await recordEffect(event);
  });
  const letters = await openDeadLetters(await broker.connection);
  const [letter] = await eventually(async () => {
    const found = await Array.fromAsync(letters.list());
    return found.length === 1 && found;
  });
  expect(letter).toMatchObject({
    durable: 'test',
    subject: 'payment.declined.a',
    code: 'MESSAGE_INVALID',
    reason: 'not yet',
  });
  mended = true;
  if (letter !== undefined) await letters.replay(letter);
  await eventually(async () => (await effects()).length === 1);
  // Both have had the replay: that it is not for `other` is told only once it was there.
  await eventually(() => settled());
  await eventually(() => settled('other'));
  expect(others).toEqual(['a']);
  expect(await Array.fromAsync(letters.list())).toEqual([]);
  await expect(letters.get(1)).rejects.toThrow('There is no dead letter 1.');
});

test('dead letters are listed while they come and go: none yet in the stream, and one dropped in the middle', async () => {
  const connection = await broker.connection;
  await ensureStream(await connection.jetstreamManager(), 'DEAD_LETTER', streamSettings);
  const letters = await openDeadLetters(connection);
  expect(await Array.fromAsync(letters.list())).toEqual([]);
  await expect(letters.get(0)).rejects.toThrow('There is no dead letter 0.');

  for (const payload of ['first', 'second', 'third']) {
    await connection
      .jetstream()
      .publish('dead-letter.test', payload, { headers: toNatsHeaders({ 'dead-letter-durable': 'test' }) });
  }
  const payloads: string[] = [];
  for await (const letter of letters.list()) {
    payloads.push(letter.payload);
    if (letter.payload === 'first') await letters.drop(2);
  }
  expect(payloads).toEqual(['first', 'third']);
  await expect(letters.drop(2)).rejects.toThrow('There is no dead letter 2.');
});

test('G6: poison that stands where other poison stood in a stream that is no more, is parked too', async () => {
  const letters = await openDeadLetters(await broker.connection);
  const manager = await (await broker.connection).jetstreamManager();
  consume(recordEffect);
  for (const [index, payload] of ['first', 'second'].entries()) {
    await makeStream();
    await publish('a', index + 1, `event-2${String(index)}`, undefined, payload);
    await eventually(async () => (await Array.fromAsync(letters.list())).length === index + 1);
    await manager.streams.delete('PAYMENT');
  }
  const parked = await Array.fromAsync(letters.list());
  expect(parked.map(({ headers, payload }) => [headers['dead-letter-stream-seq'], payload])).toEqual([
    ['1', 'first'],
    ['1', 'second'],
  ]);
});

test('what fails for now is tried again until it succeeds', async () => {
  await makeStream();
  await publish('a', 1, 'event-6');
  let attempts = 0;
  consume(async (event) => {
    attempts += 1;
    if (attempts < 3) throw new CodedError('CARD_PROCESSOR_UNAVAILABLE');
    await recordEffect(event);
  });
  await eventually(() => settled());
  expect(attempts).toBe(3);
  expect(await effects()).toEqual(['a:1']);
});

test('a consumer that is stopped while it starts stops', async () => {
  await makeStream();
  const options = { broker, streamSettings, concurrency: 1, log, metrics: createMetrics('test') };
  await startConsumer({ stream: 'PAYMENT', durable: 'test', on: {} }, options)();
});

test('a consumer looks again when the broker was connected to anew while it looked', async () => {
  await makeStream();
  const announced: ((connection: NatsConnection) => void)[] = [];
  const onConnect: Broker['onConnect'] = (listener) => {
    announced.push(listener);
    return () => undefined;
  };
  const connection = await broker.connection;
  const looks = connection.subscribe('$JS.API.CONSUMER.CREATE.PAYMENT.test', { max: 2 });
  await connection.flush();
  const options = { broker: { ...broker, onConnect }, streamSettings, concurrency: 1, log };
  cleanups.push(
    startConsumer({ stream: 'PAYMENT', durable: 'test', on: {} }, { ...options, metrics: createMetrics('test') }),
  );
  for await (const _look of looks) for (const announce of announced.splice(0)) announce(connection);
});

test('a consumer may start before its stream, and lives through the loss of stream and durable', async () => {
  consume(recordEffect);
  await makeStream();
  await publish('a', 1, 'event-7');
  await eventually(async () => (await effects()).length === 1);
  const manager = await (await broker.connection).jetstreamManager();
  await manager.streams.delete('PAYMENT');
  await makeStream();
  await publish('a', 2, 'event-8');
  await eventually(async () => (await effects()).length === 2);
  expect(await effects()).toEqual(['a:1', 'a:2']);
});

test.each([
  ['misses nothing that takes its place', 1, true],
  ['misses nothing where more than was lost has taken its place before it looks', 4, false],
])('a consumer that is ahead of a stream which lost its end is made anew, and %s', async (_, count, starts) => {
  const { nats } = infrastructure;
  const messages = join(nats.storeDir, 'jetstream', '$G', 'streams', 'PAYMENT', 'msgs');
  const saved = join(infrastructure.folder, `saved-${String(count)}`);
  const link = await startProxy([nats.port]);
  const itsBroker = connectBroker({ servers: `nats://127.0.0.1:${String(link.port)}`, name: 'its', log });
  const versions = async (from: number, to: number): Promise<void> => {
    for (let version = from; version <= to; version += 1)
      await publish('a', version, `${String(count)}-${String(version)}`);
  };
  await makeStream();
  await versions(1, 3);
  await nats.process.stop();
  await cp(messages, saved, { recursive: true });
  await nats.process.start();
  consume(recordEffect, itsBroker);
  await versions(4, 6);
  await eventually(async () => (await effects()).length === 6);
  const stop = (): Promise<unknown> => Promise.all(cleanups.splice(0).map((close) => close()));
  if (starts) await stop();
  await nats.process.stop();
  link.setTargets([]);
  await rm(messages, { recursive: true });
  await cp(saved, messages, { recursive: true });
  await nats.process.start();
  await versions(7, 6 + count);
  link.setTargets([nats.port]);
  if (starts) consume(recordEffect, itsBroker);
  await eventually(async () => (await effects()).length === 6 + count);
  expect((await effects()).slice(6)).toEqual(Array.from({ length: count }, (_each, index) => `a:${String(7 + index)}`));
  await stop();
  await itsBroker.close();
  await link.close();
});
