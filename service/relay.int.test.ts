// The outbox and its relay over each database engine and NATS: G1 (a committed change is published, a rolled-back one never), order
// within an aggregate with several relays, and G7 (what a stream has lost is published again).
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { join } from 'node:path';
import { EntityManager } from '@mikro-orm/core';
import { pino } from 'pino';
import { databaseEngines } from '../dev/database-servers.ts';
import type { DatabaseServer } from '../dev/database-servers.ts';
import { eventually, startInfrastructure } from '../dev/testing.ts';
import type { Infrastructure } from '../dev/testing.ts';
import { startProxy } from '../tests/faults/proxy.ts';
import { engineOfDriver } from './database-engines.ts';
import { claimRows } from './database-outbox.ts';
import { forUpdate, openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { messagingTables } from './messaging-tables.ts';
import { connectBroker, firstStoredHeader } from './nats.ts';
import type { Broker } from './nats.ts';
import { OutboxMessage, RelayLock, stageEvent } from './outbox.ts';
import { startRelay } from './relay.ts';
import { createMetrics } from './telemetry.ts';
import { Migration } from '@mikro-orm/migrations';

class MessagingTables extends Migration {
  override up(): void {
    for (const statement of messagingTables[engineOfDriver(this.driver)]) this.addSql(statement);
  }
}

const log = pino({ level: 'silent' });
describe.each(databaseEngines())('on $name', (engine) => {
  let infrastructure: Infrastructure;
  let server: DatabaseServer;
  let database: Database;
  const cleanups: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    infrastructure = await startInfrastructure();
    server = await engine.start(join(infrastructure.folder, 'databases'), ['relay']);
    database = await openDatabase({
      url: server.url('relay'),
      poolSize: 10,
      entities: [],
      migrations: [{ name: 'messaging', class: MessagingTables }],
    });
    await database.migrate();
  });

  afterEach(async () => {
    for (const close of cleanups.splice(0).reverse()) await close();
    const connection = await connect();
    const manager = await (await connection.connection).jetstreamManager();
    await manager.streams.delete('ORDER').catch(() => undefined);
    await connection.close();
    await database.read().nativeDelete(OutboxMessage, {});
  });

  afterAll(async () => {
    await database.close();
    await server.close();
    await infrastructure.close();
  });

  async function connect(servers = infrastructure.nats.url): Promise<Broker> {
    const broker = connectBroker({ servers, name: 'test', log });
    await broker.connection;
    return broker;
  }

  async function relay(own: { database?: Database; servers?: string } = {}): Promise<Broker> {
    const broker = await connect(own.servers);
    const stop = startRelay({
      database: own.database ?? database,
      broker,
      stream: 'ORDER',
      streamSettings: { replicas: 1, maxAgeHours: 1 },
      log,
      metrics: createMetrics('test'),
    });
    cleanups.push(() => broker.close(), stop);
    return broker;
  }

  const stage = (em: Parameters<Parameters<Database['transaction']>[0]>[0], orderId: string, version: number): void =>
    stageEvent(
      em,
      'order.status',
      {
        status: 'PAID',
        previousStatus: null,
        version,
        reason: null,
        occurredAt: new Date().toISOString(),
        order: { id: orderId, customerId: 'alice' },
      },
      { source: 'order', aggregateId: orderId, version, at: new Date() },
    );

  const commit = (orderId: string, version: number): Promise<void> =>
    database.transaction(async (em) => {
      stage(em, orderId, version);
      await em.flush();
    });

  /** What the stream holds, in order, as `<order id>:<version>`. */
  async function stored(): Promise<string[]> {
    const broker = await connect();
    try {
      const manager = await (await broker.connection).jetstreamManager();
      const info = await manager.streams.info('ORDER').catch(() => undefined);
      const found: string[] = [];
      for (let seq = info?.state.first_seq ?? 1; seq <= (info?.state.last_seq ?? 0); seq += 1) {
        const message = await manager.streams.getMessage('ORDER', { seq }).catch(() => undefined);
        if (message !== undefined) {
          found.push(`${message.header.get('ce-subject')}:${message.header.get('ce-aggregateversion')}`);
        }
      }
      return found;
    } finally {
      await broker.close();
    }
  }

  const allPublished = (): Promise<true> =>
    eventually(async () => (await database.read().count(OutboxMessage, { publishedAt: null })) === 0);

  test('a committed change is published once, a rolled-back one never', async () => {
    await relay();
    await commit('a', 1);
    await database
      .transaction(async (em) => {
        stage(em, 'b', 1);
        await em.flush();
        throw new Error('rolled back');
      })
      .catch(() => undefined);
    await commit('a', 2);
    await allPublished();
    expect(await stored()).toEqual(['a:1', 'a:2']);
  });

  test('what was committed while the broker was down is published when it is back', async () => {
    const broker = await relay();
    await commit('a', 1);
    await allPublished();
    await infrastructure.nats.process.stop();
    await eventually(() => Promise.resolve(!broker.isConnected()));
    await commit('a', 2);
    await commit('a', 3);
    await infrastructure.nats.process.start();
    await allPublished();
    expect(await stored()).toEqual(['a:1', 'a:2', 'a:3']);
  });

  test('three relays at once keep every order in version order, and publish nothing twice', async () => {
    for (let index = 0; index < 3; index += 1) await relay();
    const orders = Array.from({ length: 20 }, (_, index) => `order-${String(index)}`);
    await Promise.all(
      orders.map(async (order) => {
        for (let version = 1; version <= 6; version += 1) await commit(order, version);
      }),
    );
    await allPublished();
    const byOrder = Map.groupBy(await stored(), (entry) => entry.split(':')[0]);
    expect(byOrder.size).toBe(20);
    for (const [order, entries] of byOrder) {
      expect(entries).toEqual([1, 2, 3, 4, 5, 6].map((version) => `${String(order)}:${String(version)}`));
    }
  });

  test('G3: what stands behind a row that somebody has is left alone, and the oldest rows go first', async () => {
    await commit('a', 1);
    await commit('a', 2);
    await commit('b', 1);
    const claim = async (limit: number): Promise<string[]> => {
      const rows = await claimRows(database, { stream: 'ORDER', me: 'this relay', leaseMs: 60_000, limit });
      return rows.map(({ aggregateId, version }) => `${aggregateId}:${String(version)}`);
    };
    const first = { aggregateId: 'a', version: 1 };
    const em = database.read();
    await em.upsert(RelayLock, { stream: 'ORDER', streamCreated: null, generation: 1 });
    const later = new Date(Date.now() + 60_000);
    await em.nativeUpdate(OutboxMessage, first, { claimedBy: 'another relay', claimedUntil: later });
    expect(await claim(10)).toEqual(['b:1']);
    // The other relay died: its claim runs out.
    await em.nativeUpdate(OutboxMessage, first, { claimedUntil: new Date(Date.now() - 1) });
    expect(await claim(1)).toEqual(['a:1']);
    expect(await claim(10)).toEqual([]);
  });

  test('G3: a change does not overtake one that was given back while it was being committed', async () => {
    const broker = await relay();
    await commit('a', 1);
    await allPublished();
    const jetstream = (await broker.connection).jetstream();
    const lost = Promise.withResolvers<never>();
    // The second version is lost on its way while the third is about to be committed.
    const publish = jest.spyOn(Object.getPrototypeOf(jetstream) as typeof jetstream, 'publish');
    publish.mockImplementationOnce(() => lost.promise);
    await commit('a', 2);
    const stopHook = database.onTransaction({
      async beforeCommit(em) {
        stopHook();
        // The slow way must not have sent the second version again before the third is committed.
        await em.findOneOrFail(RelayLock, { stream: 'ORDER' }, forUpdate);
        lost.reject(new Error('lost'));
        await eventually(
          async () => (await database.read().count(OutboxMessage, { claimedBy: null, version: 2 })) === 1,
        );
      },
      afterCommit: () => undefined,
    });
    await commit('a', 3);
    await allPublished();
    publish.mockRestore();
    expect(await stored()).toEqual(['a:1', 'a:2', 'a:3']);
  });

  test('G3: what was committed although the commit seemed to fail is not overtaken', async () => {
    await relay();
    await commit('a', 1);
    await allPublished();
    const answer = jest.spyOn(EntityManager.prototype, 'commit');
    answer.mockImplementationOnce(async function (this: EntityManager) {
      await this.commit();
      throw new Error('the answer was lost');
    });
    await expect(commit('a', 2)).rejects.toThrow('the answer was lost');
    answer.mockRestore();
    await commit('a', 3);
    await eventually(async () => (await stored()).length === 3);
    expect(await stored()).toEqual(['a:1', 'a:2', 'a:3']);
  });

  test('G3: a change does not overtake one whose commit has happened and is not answered yet', async () => {
    await relay();
    await commit('a', 1);
    await allPublished();
    const committed = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const answer = jest.spyOn(EntityManager.prototype, 'commit');
    answer.mockImplementationOnce(async function (this: EntityManager) {
      await this.commit();
      committed.resolve();
      await answered.promise;
    });
    const second = commit('a', 2);
    await committed.promise;
    await commit('a', 3);
    // Had the third gone out, it would be stored before what goes out after it.
    await commit('b', 1);
    await eventually(async () => (await stored()).includes('b:1'));
    answered.resolve();
    await second;
    answer.mockRestore();
    await eventually(async () => (await stored()).length === 4);
    // Where `b` stands among them is not said: on a slow machine the claim on the second may run out meanwhile, and it goes out before.
    expect((await stored()).filter((entry) => entry !== 'b:1')).toEqual(['a:1', 'a:2', 'a:3']);
  });

  test('G7: a stream that was destroyed is made anew and filled again', async () => {
    await relay();
    for (let version = 1; version <= 20; version += 1) await commit('a', version);
    await allPublished();
    await infrastructure.nats.process.stop();
    await infrastructure.nats.wipe();
    await commit('a', 21);
    await infrastructure.nats.process.start();
    await eventually(async () => (await stored()).length === 21);
    expect(await stored()).toEqual(Array.from({ length: 21 }, (_, index) => `a:${String(index + 1)}`));
  });

  test('G8: what is published again says where it was stored at first, however often the stream is lost', async () => {
    const broker = await relay();
    const firstStored = async (): Promise<string[]> => {
      const manager = await (await broker.connection).jetstreamManager();
      const messages = (await stored()).map((_, index) => manager.streams.getMessage('ORDER', { seq: index + 1 }));
      return (await Promise.all(messages)).map(({ header }) => header.get(firstStoredHeader));
    };
    const made = async (): Promise<string> => {
      const manager = await (await broker.connection).jetstreamManager();
      return (await manager.streams.info('ORDER')).created;
    };
    await commit('a', 1);
    await allPublished();
    expect(await firstStored()).toEqual(['']);
    const streams = [await made()];
    for (const version of [2, 3]) {
      await infrastructure.nats.process.stop();
      await infrastructure.nats.wipe();
      await commit('a', version);
      await infrastructure.nats.process.start();
      await eventually(async () => (await stored()).length === version);
      await allPublished();
      streams.push(await made());
    }
    expect(await firstStored()).toEqual([`ORDER ${streams[0] ?? ''} 1`, `ORDER ${streams[1] ?? ''} 2`, '']);
  });

  test('G7: a broker that was only restarted, again and again, has lost nothing', async () => {
    const broker = await relay();
    await commit('a', 1);
    await allPublished();
    const manager = async () => (await broker.connection).jetstreamManager();
    const { created } = await (await manager()).streams.info('ORDER');
    for (const version of [2, 3, 4]) {
      await infrastructure.nats.process.restart();
      await commit('a', version);
      await eventually(async () => (await stored()).length === version);
      await allPublished();
    }
    expect((await (await manager()).streams.info('ORDER')).created).toBe(created);
    const rows = await database.read().find(OutboxMessage, {});
    expect(rows.map(({ headers }) => headers[firstStoredHeader])).toEqual([undefined, undefined, undefined, undefined]);
  });

  test('G7: a stream whose age the broker has changed has lost nothing', async () => {
    await relay();
    await commit('a', 1);
    await allPublished();
    await database.read().nativeUpdate(RelayLock, { stream: 'ORDER' }, { streamCreated: 'long ago' });
    await infrastructure.nats.process.restart();
    await commit('a', 2);
    await eventually(async () => (await stored()).length === 2);
    const rows = await database.read().find(OutboxMessage, {});
    expect(rows.map(({ headers }) => headers[firstStoredHeader])).toEqual([undefined, undefined]);
  });

  test('G7: a stream that lost its end gets the end again, also when its sequences were used again meanwhile', async () => {
    const broker = await relay();
    for (let version = 1; version <= 10; version += 1) await commit('a', version);
    await allPublished();
    const manager = await (await broker.connection).jetstreamManager();
    for (const seq of [8, 9, 10]) await manager.streams.deleteMessage('ORDER', seq);
    await infrastructure.nats.process.restart();
    await eventually(async () => (await stored()).length === 10);
    expect(await stored()).toEqual(Array.from({ length: 10 }, (_, index) => `a:${String(index + 1)}`));
  });

  test('G7: a relay that is held up between storing and marking does not mark what the stream has lost meanwhile', async () => {
    const { nats } = infrastructure;
    const [natsLink, databaseLink] = [await startProxy([nats.port]), await startProxy([server.port])];
    const url = server.url('relay').replace(`:${String(server.port)}/`, `:${String(databaseLink.port)}/`);
    const slow = await openDatabase({ url, poolSize: 4, entities: [], migrations: [] });
    cleanups.push(
      () => natsLink.close(),
      () => databaseLink.close(),
      () => slow.close(),
    );
    await commit('a', 1);
    await relay({ database: slow, servers: `nats://127.0.0.1:${String(natsLink.port)}` });
    await allPublished();

    natsLink.delay(300);
    await commit('b', 1);
    await eventually(async () => (await stored()).length === 2);
    databaseLink.cut(true);
    // The acknowledgement arrives, and marking waits. Meanwhile everything is lost, and another relay fills the stream again.
    await nats.process.stop();
    await nats.wipe();
    await nats.process.start();
    await relay();
    for (let version = 1; version <= 5; version += 1) await commit('c', version);
    // Also `b:1`, where the claim of the relay that is held up runs out meanwhile.
    await eventually(async () => (await stored()).filter((entry) => entry !== 'b:1').length === 6);
    natsLink.delay(0);
    databaseLink.cut(false);
    await eventually(async () => (await stored()).includes('b:1'));
  });
});
