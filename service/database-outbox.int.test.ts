// Claiming from a large backlog, as there is after the loss of a stream: the relay must get on with it, whatever the planner believes.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Migration } from '@mikro-orm/migrations';
import { startInfrastructure } from '../dev/testing.ts';
import type { Infrastructure } from '../dev/testing.ts';
import { claimRows } from './database-outbox.ts';
import { openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { messagingTables } from './messaging-tables.ts';

class MessagingTables extends Migration {
  override up(): void {
    for (const statement of messagingTables.postgresql) this.addSql(statement);
  }
}

let infrastructure: Infrastructure;
let database: Database;

beforeAll(async () => {
  infrastructure = await startInfrastructure();
  database = await openDatabase({
    url: await infrastructure.postgres.createDatabase('claims'),
    poolSize: 2,
    entities: [],
    migrations: [{ name: 'messaging', class: MessagingTables }],
  });
  await database.migrate();
});
afterAll(async () => {
  await database.close();
  await infrastructure.close();
});

const run = <Row>(sql: string): Promise<Row[]> => database.read().execute<Row[]>(sql);
const claim = (me: string) => claimRows(database, { stream: 'ORDER', me, leaseMs: 60_000, limit: 500 });

/** How many rows of the outbox, and entries of its indexes, the server has read so far: what a claim costs, on any machine. */
async function rowsRead(): Promise<number> {
  // A session hands its counts over when it is told to: side by side, both of the pool are.
  const handOver = 'select pg_stat_force_next_flush()';
  await Promise.all([run(handOver), run(handOver)]);
  const [row] = await run<{ read: string }>(
    `select (select seq_tup_read from pg_stat_user_tables where relname = 'outbox')
       + (select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'outbox') as read`,
  );
  return Number(row?.read);
}

test('G7: 15,000 rows that a stream has lost are claimed in a look or two, also while the statistics still say that there are none', async () => {
  await run('alter table outbox set (autovacuum_enabled = off)');
  await run(`insert into outbox_relay (stream, generation) values ('ORDER', 1)`);
  await run(`insert into outbox (id, aggregate_id, version, stream, subject, headers, payload, created_at, published_at, stream_seq)
    select gen_random_uuid()::text, 'order-' || (n % 3000), n / 3000 + 1, 'ORDER', 'order.status.a.b', '{}', '{}', now(), now(), n
    from generate_series(1, 15000) n`);
  await run('analyze outbox');
  await run('update outbox set published_at = null, stream_seq = null');

  const readBefore = await rowsRead();
  const first = await claim('one');
  const second = await claim('two');
  // Each claim looks through the backlog once or twice; a join of each row with each reads a thousand times as many.
  expect((await rowsRead()) - readBefore).toBeLessThan(10 * 15_000);
  expect(first).toHaveLength(500);
  expect(second).toHaveLength(500);
  // In order, and never behind a row that somebody else has.
  const claimed = new Set(first.map(({ aggregateId }) => aggregateId));
  expect(second.filter(({ aggregateId }) => claimed.has(aggregateId))).toEqual([]);
  expect(first.map(({ seq }) => seq)).toEqual(first.map(({ seq }) => seq).toSorted((one, other) => one - other));
});
