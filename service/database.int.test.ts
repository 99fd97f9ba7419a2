// The database connection when the network is bad: what was under way fails, and everything after it works again.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../dev/postgres.ts';
import type { Postgres } from '../dev/postgres.ts';
import { eventually } from '../dev/testing.ts';
import { startProxy } from '../tests/faults/proxy.ts';
import type { Proxy } from '../tests/faults/proxy.ts';
import { openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { codeOf } from './errors.ts';

const poolSize = 4;
let folder: string;
let postgres: Postgres;
let proxy: Proxy;
let database: Database;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-database-'));
  postgres = await startPostgres({ dataDir: join(folder, 'postgres'), disposable: true });
});
beforeEach(async () => {
  proxy = await startProxy([postgres.port]);
  const url = (await postgres.createDatabase('bad_network')).replace(String(postgres.port), String(proxy.port));
  database = await openDatabase({ url, poolSize, entities: [], migrations: [] });
});
afterEach(async () => {
  await database.close();
  await proxy.close();
});
afterAll(async () => {
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});

const all = <T>(work: (index: number) => Promise<T>): Promise<PromiseSettledResult<T>[]> =>
  Promise.allSettled(Array.from({ length: poolSize * 2 }, (_, index) => work(index)));
const answers = (): Promise<boolean> =>
  all(() => database.transaction((em) => em.execute('select pg_sleep(0.01)'))).then((results) =>
    results.every(({ status }) => status === 'fulfilled'),
  );

test.each([
  ['in a query', 'select pg_sleep(60)', 'active'],
  ['between two queries', 'select 1', 'idle in transaction'],
])('connections that break %s leave the pool, and every failure is one to try again', async (_, sql, state) => {
  let isDropped = false;
  const goOn = Promise.withResolvers<void>();
  const running = all(() =>
    database.transaction(async (em) => {
      await em.execute(isDropped ? 'select 1' : sql);
      await goOn.promise;
      await em.execute('select 2');
    }),
  );
  await eventually(async () => (await countSessions(sql, state)) === poolSize);
  proxy.drop();
  isDropped = true;
  // A server that sleeps does not notice.
  if (state !== 'active') await eventually(async () => (await countSessions(sql, state)) === 0);
  goOn.resolve();
  const codes = (await running).map((result) => (result.status === 'rejected' ? codeOf(result.reason) : 'done'));
  expect(codes.filter((code) => code !== 'done' && code !== 'SERVICE_UNAVAILABLE')).toEqual([]);
  expect(codes).toContain('SERVICE_UNAVAILABLE');
  await eventually(answers);
});

async function countSessions(query: string, state: string): Promise<number> {
  const watching = await openDatabase({ url: postgres.url('postgres'), poolSize: 1, entities: [], migrations: [] });
  try {
    const [row] = await watching
      .read()
      .execute<{ count: string }[]>(
        `select count(*) as count from pg_stat_activity where datname = 'bad_network' and query = ? and state = ?`,
        [query, state],
      );
    return Number(row?.count);
  } finally {
    await watching.close();
  }
}
