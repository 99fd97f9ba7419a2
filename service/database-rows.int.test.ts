// Rows beside the ORM: what is stored is what comes back, on every engine, and a transaction writes what was changed in it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { defineEntity, p, UniqueConstraintViolationException } from '@mikro-orm/core';
import type { InferEntity } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { databaseEngines } from '../dev/database-servers.ts';
import type { DatabaseServer } from '../dev/database-servers.ts';
import { engineOfDriver } from './database-engines.ts';
import { insertNewRows, insertNumberedRows, insertRow, lockRows, readRows } from './database-rows.ts';
import { openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { messagingTables } from './messaging-tables.ts';

const Parcel = defineEntity({
  name: 'Parcel',
  tableName: 'parcel',
  properties: {
    id: p.string().length(20).primary(),
    orderId: p.string().length(20).unique(),
    weight: p.integer(),
    content: p.json<readonly { readonly name: string }[]>(),
    fragile: p.boolean(),
    note: p.text().strictNullable(),
    sentAt: p.datetime(3),
    arrivedAt: p.datetime(3).strictNullable(),
  },
});
type Parcel = InferEntity<typeof Parcel>;
const Entry = defineEntity({
  name: 'Entry',
  tableName: 'entry',
  properties: { seq: p.bigint('number').primary().autoincrement(), text: p.string().length(20) },
});

class Tables extends Migration {
  override up(): void {
    const [json, date, number] =
      engineOfDriver(this.driver) === 'postgresql'
        ? ['jsonb', 'timestamptz(3)', 'bigserial']
        : ['json', 'datetime(3)', 'bigint auto_increment'];
    for (const statement of messagingTables[engineOfDriver(this.driver)]) this.addSql(statement);
    this
      .addSql(`create table parcel (id varchar(20) primary key, order_id varchar(20) not null unique, weight int not null,
      content ${json} not null, fragile boolean not null, note text, sent_at ${date} not null, arrived_at ${date})`);
    this.addSql(`create table entry (seq ${number} primary key, text varchar(20) not null)`);
  }
}

const parcel = (id: string): Parcel => ({
  ...{ id, orderId: `order-${id}`, weight: 1_200, content: [{ name: `"떡볶이" \\ '매운맛'` }], fragile: true },
  ...{ note: null, sentAt: new Date('2026-11-25T20:15:00.123Z'), arrivedAt: null },
});

describe.each(databaseEngines())('rows on $name', ({ name, start }) => {
  let folder: string;
  let server: DatabaseServer;
  let database: Database;
  const statements: string[] = [];
  const sent = (pattern: RegExp): number => statements.filter((sql) => pattern.test(sql)).length;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'baedal-rows-'));
    server = await start(folder, ['rows']);
    const open = (poolSize: number): Promise<Database> =>
      openDatabase({
        ...{ url: server.url('rows'), poolSize, entities: [Parcel, Entry] },
        migrations: [{ name: 'tables', class: Tables }],
        onQuery: (sql) => void statements.push(sql),
      });
    const migrating = await open(2);
    await migrating.migrate();
    await migrating.close();
    // One connection, as each prepares its own statements.
    database = await open(1);
  });
  afterEach(() => database.read().nativeDelete(Parcel, {}));
  afterAll(async () => {
    await database.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const store = (...ids: string[]): Promise<void> =>
    database.transaction(async (em) => {
      for (const id of ids) insertRow(em, Parcel, parcel(id));
    });
  const stored = async (...ids: string[]): Promise<Parcel[]> => {
    const rows = await readRows(database.read(), Parcel, 'id', ids);
    return rows.map((row) => ({ ...row })).toSorted((one, other) => (one.id < other.id ? -1 : 1));
  };

  test('come back as they were stored: one alone, and several at once', async () => {
    await store('a');
    await store('b', 'c');
    expect(await stored('a')).toEqual([parcel('a')]);
    expect(await stored('a', 'b', 'c', 'd')).toEqual([parcel('a'), parcel('b'), parcel('c')]);
    expect(await stored('d')).toEqual([]);
  });

  test('are stored as they are when the transaction ends', async () => {
    await database.transaction(async (em) => {
      const row = insertRow(em, Parcel, parcel('a'));
      row.note = 'later';
      await Promise.resolve();
    });
    expect(await stored('a')).toEqual([{ ...parcel('a'), note: 'later' }]);
  });

  test('that were locked are written when something was assigned to them, and only then', async () => {
    await store('a', 'b', 'c');
    statements.length = 0;
    const arrivedAt = new Date('2026-11-25T21:00:00.456Z');
    const change = { weight: 5, content: [{ name: 'x' }, { name: 'y' }], fragile: false, note: 'rang', arrivedAt };
    await database.transaction(async (em) => {
      const [b, c] = await lockRows(em, Parcel, 'orderId', ['order-c', 'order-b']);
      expect([b?.id, c?.id]).toEqual(['b', 'c']);
      Object.assign(b ?? {}, change);
    });
    expect(sent(/for update/)).toBe(1);
    expect(sent(/^update/)).toBe(1);
    expect(await stored('a', 'b', 'c')).toEqual([parcel('a'), { ...parcel('b'), ...change }, parcel('c')]);
    await database.transaction(async (em) => {
      const [b] = await lockRows(em, Parcel, 'id', ['b']);
      Object.assign(b ?? {}, { note: null, arrivedAt: null });
    });
    expect(await stored('b')).toEqual([{ ...parcel('b'), ...change, note: null, arrivedAt: null }]);
  });

  test('that are locked twice in a transaction are the same', async () => {
    await store('a');
    await database.transaction(async (em) => {
      const [first] = await lockRows(em, Parcel, 'id', ['a']);
      Object.assign(first ?? {}, { weight: 7 });
      const [second] = await lockRows(em, Parcel, 'orderId', ['order-a']);
      expect(second).toBe(first);
      Object.assign(second ?? {}, { note: 'both' });
    });
    expect(await stored('a')).toEqual([{ ...parcel('a'), weight: 7, note: 'both' }]);
  });

  test('of a transaction that fails are as they were', async () => {
    await store('a');
    const failing = database.transaction(async (em) => {
      const [a] = await lockRows(em, Parcel, 'id', ['a']);
      Object.assign(a ?? {}, { weight: 9 });
      insertRow(em, Parcel, { ...parcel('b'), orderId: 'order-a' });
    });
    await expect(failing).rejects.toBeInstanceOf(UniqueConstraintViolationException);
    expect(await stored('a', 'b')).toEqual([parcel('a')]);
  });

  test('that are too long for their column are refused, not cut', async () => {
    await expect(store('a'.repeat(21))).rejects.toThrow(/too long/);
  });

  test('that are there already are passed over, and the others counted', async () => {
    expect(await insertNewRows(database.read(), Parcel, [parcel('a')], ['orderId'])).toBe(1);
    const again = { ...parcel('z'), orderId: 'order-a' };
    expect(await insertNewRows(database.read(), Parcel, [again, parcel('b')], ['orderId'])).toBe(1);
    expect(await insertNewRows(database.read(), Parcel, [again], ['orderId'])).toBe(0);
    expect(await stored('a', 'b', 'z')).toEqual([parcel('a'), parcel('b')]);
  });

  test('are told the numbers that the database gave them, in their order', async () => {
    const texts = ['one', 'two', 'three'];
    const numbers = await insertNumberedRows(
      database.read(),
      Entry,
      texts.map((text) => ({ seq: 0, text })),
      'seq',
    );
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    const entries = await database.read().find(Entry, { seq: { $in: numbers } }, { orderBy: { seq: 'asc' } });
    expect(entries.map(({ text }) => text)).toEqual(texts);
  });

  if (name === 'PostgreSQL') {
    test('take statements that are prepared once, however often they run; those of several rows are not kept', async () => {
      const prepared = async (): Promise<string[]> => {
        const rows = await database
          .read()
          .execute<{ statement: string }[]>(
            `select statement from pg_prepared_statements where statement like '%parcel%'`,
          );
        return rows.map(({ statement }) => statement).toSorted();
      };
      await store('a', 'b');
      await stored('a');
      const before = await prepared();
      await store('c', 'd', 'e');
      await stored('b');
      await stored('a', 'b');
      await stored('a', 'b', 'c');
      expect(await prepared()).toEqual(before);
      expect(before.length).toBeGreaterThan(1);
    });
  }
});
