// G1 under kill -9: a committed change has its event in the stream in the end, once, and one that was not committed never has.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Migration } from '@mikro-orm/migrations';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'nats';
import type { NatsConnection } from 'nats';
import { eventually, startInfrastructure } from '../../dev/testing.ts';
import type { Infrastructure } from '../../dev/testing.ts';
import { openDatabase } from '../../service/database.ts';
import type { Database } from '../../service/database.ts';
import { messagingTables } from '../../service/messaging-tables.ts';

class MessagingTables extends Migration {
  override up(): void {
    for (const statement of messagingTables.postgresql) this.addSql(statement);
  }
}

let infrastructure: Infrastructure;
let url: string;
let database: Database;
let broker: NatsConnection;

beforeAll(async () => {
  infrastructure = await startInfrastructure();
  url = await infrastructure.postgres.createDatabase('writer');
  const migrations = [{ name: 'messaging', class: MessagingTables }];
  database = await openDatabase({ url, poolSize: 2, entities: [], migrations });
  await database.migrate();
  broker = await connect({ servers: infrastructure.nats.url.slice('nats://'.length) });
});
afterAll(async () => {
  await broker.close();
  await database.close();
  await infrastructure.close();
});

/** Runs a writer that dies at `point`; gives the process. */
const write = (orderId: string, point: string) =>
  spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'outbox-writer.ts'),
      ...[url, infrastructure.nats.url, orderId, point],
    ],
    { stdio: 'inherit' },
  );

async function storedOf(orderId: string): Promise<string[]> {
  const consumer = await broker.jetstream().consumers.get('ORDER', { filterSubjects: `order.status.alice.${orderId}` });
  const versions: string[] = [];
  const { num_pending } = await consumer.info();
  if (num_pending === 0) return versions;
  for await (const message of await consumer.fetch({ max_messages: num_pending })) {
    versions.push(message.headers?.get('ce-aggregateversion') ?? '');
  }
  return versions;
}

test.each([
  ['before the commit', ['1']],
  ['after the commit', ['1', '2']],
  ['after storing, before marking', ['1', '2']],
])('G1: killed %s, many times, database and stream agree in the end', async (point, expected) => {
  const orders = Array.from({ length: 4 }, (_, index) => `${point.replaceAll(/\W/g, '-')}-${String(index)}`);
  const killed = await Promise.all(
    orders.map(async (orderId) => {
      const [, signal] = (await once(write(orderId, point), 'exit')) as [number | null, string | null];
      return signal;
    }),
  );
  expect(killed).toEqual(orders.map(() => 'SIGKILL'));

  const next = write('next', 'never');
  try {
    await eventually(async () => {
      const [row] = await database
        .read()
        .execute<{ count: string }[]>('select count(*) as count from outbox where published_at is null');
      return Number(row?.count) === 0;
    });
    for (const orderId of orders) {
      const committed = await database
        .read()
        .execute<{ version: number }[]>('select version from outbox where aggregate_id = ? order by seq', [orderId]);
      expect(committed.map(({ version }) => String(version))).toEqual(expected);
      expect(await storedOf(orderId)).toEqual(expected);
    }
  } finally {
    next.kill('SIGKILL');
    await once(next, 'exit');
  }
});
