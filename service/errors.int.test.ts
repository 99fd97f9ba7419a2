// What real outages throw, and that each counts as one: a message behind it is tried again for ever, not parked.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Migration } from '@mikro-orm/migrations';
import { pino } from 'pino';
import { eventually, startInfrastructure } from '../dev/testing.ts';
import type { Infrastructure } from '../dev/testing.ts';
import { openDatabase } from './database.ts';
import type { Database, EntityManager } from './database.ts';
import { codeOf } from './errors.ts';
import { messagingTables } from './messaging-tables.ts';
import { connectBroker, requestCommand } from './nats.ts';
import type { Broker } from './nats.ts';

class Tables extends Migration {
  override up(): void {
    for (const statement of messagingTables.postgresql) this.addSql(statement);
    this.addSql('create table thing (id int primary key)');
    this.addSql('insert into thing values (1), (2)');
  }
}

let infrastructure: Infrastructure;
let database: Database;
let broker: Broker;

beforeAll(async () => {
  infrastructure = await startInfrastructure();
  const url = await infrastructure.postgres.createDatabase('errors');
  const migrations = [{ name: 'tables', class: Tables }];
  database = await openDatabase({ url, poolSize: 5, entities: [], migrations });
  await database.migrate();
  broker = connectBroker({ servers: infrastructure.nats.url, name: 'test', log: pino({ level: 'silent' }) });
  await broker.connection;
});

afterAll(async () => {
  await broker.close();
  await database.close();
  await infrastructure.close();
});

const outcome = (work: Promise<unknown>): Promise<string> => work.then(() => 'ok', codeOf);
const select = (): Promise<unknown> => database.read().execute('select 1');

describe('the database', () => {
  test('down: reads, transactions and the check; back again by itself', async () => {
    const { process } = infrastructure.postgres;
    await process.stop();
    const transaction = () => database.transaction((em) => em.execute('select 1'));
    for (const work of [select, transaction, () => database.check()]) {
      expect(await outcome(work())).toBe('SERVICE_UNAVAILABLE');
    }
    await process.start();
    expect(await outcome(select())).toBe('ok');
  });

  test('killed in the middle of a transaction', async () => {
    const { process } = infrastructure.postgres;
    const work = database.transaction(async (em) => {
      await em.execute('insert into thing values (3)');
      await process.kill('SIGKILL');
      await em.execute('insert into thing values (4)');
    });
    expect(await outcome(work)).toBe('SERVICE_UNAVAILABLE');
    await process.ready();
    expect(await database.read().execute('select id from thing where id > 2')).toEqual([]);
  });

  test('ends one connection', async () => {
    const endSelf = (em: EntityManager) => em.execute('select pg_terminate_backend(pg_backend_pid())');
    expect(await outcome(database.transaction(endSelf))).toBe('SERVICE_UNAVAILABLE');
    expect(await outcome(select())).toBe('ok');
  });

  const impatient: [string, string, string][] = [
    ['a statement', 'set local statement_timeout = 20', 'select pg_sleep(5)'],
    ['a lock', 'set local lock_timeout = 20', 'select * from thing where id = 1 for update'],
  ];
  test.each(impatient)('takes too long for %s', async (_, limit, statement) => {
    const held = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const holding = database.transaction(async (em) => {
      await em.execute('select * from thing where id = 1 for update');
      held.resolve();
      await release.promise;
    });
    await Promise.race([held.promise, holding]);
    const waiting = database.transaction(async (em) => {
      await em.execute(limit);
      await em.execute(statement);
    });
    expect(await outcome(waiting)).toBe('SERVICE_UNAVAILABLE');
    release.resolve();
    await holding;
  });

  test('breaks a deadlock, and the transaction that it ended runs again', async () => {
    const bothHold = Promise.withResolvers<void>();
    let runs = 0;
    const lockBoth = (first: number, second: number) =>
      database.transaction(async (em) => {
        await em.execute('select * from thing where id = ? for update', [first]);
        if ((runs += 1) === 2) bothHold.resolve();
        await bothHold.promise;
        await em.execute('select * from thing where id = ? for update', [second]);
      });
    const outcomes = await Promise.all([outcome(lockBoth(1, 2)), outcome(lockBoth(2, 1))]);
    expect(outcomes).toEqual(['ok', 'ok']);
  });

  test.each(['insert into thing values (1)', 'select * from nothing', 'selekt', "select 'x'::int"])(
    'refuses our own mistake: %j',
    async (statement) => expect(await outcome(database.read().execute(statement))).toBe('INTERNAL_SERVER_ERROR'),
  );
});

describe('the broker', () => {
  const publish = async (timeout = 5_000): Promise<unknown> =>
    (await broker.connection).jetstream().publish('order.placed.x', '', { timeout });
  const command = (): Promise<unknown> =>
    requestCommand(broker, 'delivery.cancel', { orderId: 'o', customerId: 'alice', reason: null }, 300);

  test('without a stream or anyone who serves', async () => {
    expect(await outcome(publish(300))).toBe('SERVICE_UNAVAILABLE');
    expect(await outcome(command())).toMatch(/^(SERVICE_UNAVAILABLE|TIMEOUT)$/);
  });

  test('down, stopped like a machine that hangs, and back again by itself', async () => {
    const { process } = infrastructure.nats;
    const manager = await (await broker.connection).jetstreamManager();
    await manager.streams.add({ name: 'ORDER', subjects: ['order.*.>'] });
    expect(await outcome(publish())).toBe('ok');

    await process.kill('SIGSTOP');
    try {
      // The signal takes a moment to reach every thread.
      expect(await eventually(async () => [await outcome(publish(300))].find((each) => each !== 'ok'))).toBe(
        'SERVICE_UNAVAILABLE',
      );
      expect(await outcome(command())).toMatch(/^(SERVICE_UNAVAILABLE|TIMEOUT)$/);
    } finally {
      await process.kill('SIGCONT');
    }

    const lost = new Promise<void>((resolve) => broker.onDisconnect(resolve));
    await process.stop();
    await lost;
    expect(broker.isConnected()).toBe(false);
    expect(await outcome(publish(300))).toBe('SERVICE_UNAVAILABLE');
    expect(await outcome(command())).toBe('SERVICE_UNAVAILABLE');

    const found = new Promise<unknown>((resolve) => broker.onConnect(resolve));
    await process.start();
    await found;
    expect(await outcome(publish())).toBe('ok');
  });

  test('after the connection was closed for good', async () => {
    const other = connectBroker({ servers: infrastructure.nats.url, name: 'other', log: pino({ level: 'silent' }) });
    const connection = await other.connection;
    await other.close();
    expect(await outcome(connection.request('nobody', '', { timeout: 300 }))).toBe('SERVICE_UNAVAILABLE');
    expect(await outcome(connection.jetstream().publish('order.placed.x', ''))).toBe('SERVICE_UNAVAILABLE');
  });
});
