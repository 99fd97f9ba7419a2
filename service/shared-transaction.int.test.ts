// Transactions that share a commit: what one of them does or fails at is never the others' concern.
import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { databaseEngines } from '../dev/database-servers.ts';
import type { DatabaseServer } from '../dev/database-servers.ts';
import { engineOfDriver } from './database-engines.ts';
import { forUpdate, openDatabase } from './database.ts';
import type { Database, EntityManager } from './database.ts';
import { loadTogether } from './load-together.ts';
import { messagingTables } from './messaging-tables.ts';

const Note = defineEntity({
  name: 'Note',
  tableName: 'note',
  properties: { id: p.string().length(20).primary(), text: p.string().length(20) },
});

class Tables extends Migration {
  override up(): void {
    const engine = engineOfDriver(this.driver);
    for (const statement of messagingTables[engine]) this.addSql(statement);
    this.addSql(
      `create table note (id varchar(20) primary key, text varchar(20) not null${
        engine === 'postgresql' ? ', unique (text) deferrable initially deferred' : ''
      })`,
    );
  }
}

const lockNotes = async (em: EntityManager, ids: readonly string[]) =>
  new Map(
    (await em.find(Note, { id: { $in: [...ids] } }, { ...forUpdate, orderBy: { id: 'asc' } })).map((row) => [
      row.id,
      row,
    ]),
  );

describe.each(databaseEngines())('shared transactions on $name', ({ name, start }) => {
  let folder: string;
  let server: DatabaseServer;
  let database: Database;
  const statements: string[] = [];
  const sent = (pattern: RegExp): number => statements.filter((sql) => pattern.test(sql)).length;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'baedal-shared-'));
    server = await start(folder, ['shared']);
    database = await openDatabase({
      url: server.url('shared'),
      poolSize: 10,
      entities: [Note],
      migrations: [{ name: 'tables', class: Tables }],
      onQuery: (sql) => void statements.push(sql),
    });
    await database.migrate();
    statements.length = 0;
  });
  afterEach(async () => {
    await database.read().nativeDelete(Note, {});
    statements.length = 0;
  });
  afterAll(async () => {
    await database.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const ids = Array.from({ length: 10 }, (_, index) => `n${String(index)}`);
  const write =
    (id: string, text = id) =>
    (em: EntityManager): Promise<string> => {
      em.create(Note, { id, text }, { persist: true });
      return Promise.resolve(id);
    };
  const kept = async (): Promise<string[]> =>
    (await database.read().find(Note, {}, { orderBy: { id: 'asc' } })).map(({ id }) => id);
  const message = (id: string) => ({ consumer: 'test', id });

  test('messages that are here at once are recorded, read and written with one statement each', async () => {
    await database.transaction(async (em) => void em.create(Note, { id: 'n3', text: 'before' }, { persist: true }));
    statements.length = 0;
    const results = await Promise.all(
      ids.map((id) =>
        database.transaction(
          async (em) => {
            const known = await loadTogether(em, lockNotes, id);
            if (known === null) return write(id)(em);
            known.text = 'after';
            return 'known';
          },
          message(`one-${id}`),
        ),
      ),
    );
    expect(results).toEqual(ids.map((id) => (id === 'n3' ? 'known' : id)));
    expect(await kept()).toEqual(ids);
    expect([sent(/insert.*inbox/), sent(/select.*note.*for update/), sent(/insert.*note/)]).toEqual([1, 1, 1]);
  });

  test('G6: one that fails is rolled back alone: the others take effect, and the error is its own', async () => {
    const outcomes = await Promise.allSettled(
      ids.map((id) =>
        database.transaction(
          async (em) => {
            await write(id)(em);
            if (id === 'n4') throw new Error('n4 is poison');
            if (id === 'n5') await em.execute(`insert into note values ('n5', 'twice')`);
          },
          message(`two-${id}`),
        ),
      ),
    );
    expect(outcomes.flatMap(({ status }, index) => (status === 'rejected' ? ids[index] : []))).toEqual(['n4', 'n5']);
    expect(outcomes[4]).toMatchObject({ reason: { message: 'n4 is poison' } });
    expect(await kept()).toEqual(ids.filter((id) => id !== 'n4' && id !== 'n5'));
  });

  test('G2: a message that was recorded before takes no effect again, and those beside it do', async () => {
    await database.transaction(write('n1'), message('three-n1'));
    await database.read().nativeDelete(Note, {});
    const results = await Promise.all(ids.map((id) => database.transaction(write(id), message(`three-${id}`))));
    expect(results[1]).toBeUndefined();
    expect(await kept()).toEqual(ids.filter((id) => id !== 'n1'));
    expect(await Promise.all(ids.map((id) => database.transaction(write(id), message(`three-${id}`))))).toEqual(
      ids.map(() => undefined),
    );
  });

  test('each runs in the context that asked for it', async () => {
    const trace = new AsyncLocalStorage<string>();
    const seen = await Promise.all(
      ids.map((id) =>
        trace.run(id, () => database.sharedTransaction('note', () => Promise.resolve(trace.getStore() ?? ''))),
      ),
    );
    expect(seen).toEqual(ids);
  });

  if (name === 'PostgreSQL') {
    test('a commit whose outcome is not known is not done again: that could be twice', async () => {
      let runs = 0;
      const outcomes = await Promise.allSettled(
        ids.map((id) =>
          database.sharedTransaction('note', (em) => {
            runs += 1;
            // The unique constraint is looked at by the commit.
            return write(id, 'the same')(em);
          }),
        ),
      );
      expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(ids.length);
      expect(runs).toBe(ids.length);
    });
  }
});
