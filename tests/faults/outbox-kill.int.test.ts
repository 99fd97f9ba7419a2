// G1 under kill -9: a committed change has its event in the stream in the end, once, and one that was not committed never has.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Migration } from '@mikro-orm/migrations';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pino } from 'pino';
import { eventually, startInfrastructure } from '../../dev/testing.ts';
import type { Infrastructure } from '../../dev/testing.ts';
import { openDatabase } from '../../service/database.ts';
import type { Database } from '../../service/database.ts';
import { messagingTables } from '../../service/messaging-tables.ts';
import { connectBroker } from '../../service/nats.ts';
import type { Broker } from '../../service/nats.ts';
import { OutboxMessage } from '../../service/outbox.ts';
import { startRelay } from '../../service/relay.ts';
import { createMetrics } from '../../service/telemetry.ts';

class MessagingTables extends Migration {
  override up(): void {
    for (const statement of messagingTables.postgresql) this.addSql(statement);
  }
}

const log = pino({ level: 'silent' });
let infrastructure: Infrastructure;
/** One for each writer: in one and the same, the relay of another could publish and mark what a writer has to die for. */
let databases: readonly { readonly url: string; readonly database: Database }[];
let broker: Broker;

beforeAll(async () => {
  infrastructure = await startInfrastructure();
  const migrations = [{ name: 'messaging', class: MessagingTables }];
  databases = await Promise.all(
    [0, 1, 2, 3].map(async (index) => {
      const url = await infrastructure.postgres.createDatabase(`writer_${String(index)}`);
      const database = await openDatabase({ url, poolSize: 4, entities: [], migrations });
      await database.migrate();
      return { url, database };
    }),
  );
  broker = connectBroker({ servers: infrastructure.nats.url, name: 'test', log });
});
afterAll(async () => {
  await broker.close();
  await Promise.all(databases.map(({ database }) => database.close()));
  await infrastructure.close();
});

/** Runs a writer until it dies at `point`; gives what killed it. */
async function write(url: string, orderId: string, point: string): Promise<string | null> {
  const program = join(import.meta.dirname, 'outbox-writer.ts');
  const args = ['--disable-warning=ExperimentalWarning', program, url, infrastructure.nats.url, orderId, point];
  const [, signal] = (await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit')) as [
    number | null,
    string | null,
  ];
  return signal;
}

async function storedOf(orderId: string): Promise<string[]> {
  const jetstream = (await broker.connection).jetstream();
  const consumer = await jetstream.consumers.get('ORDER', { filterSubjects: `order.status.alice.${orderId}` });
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
  const orders = databases.map((each, index) => ({
    ...each,
    orderId: `${point.replaceAll(/\W/g, '-')}-${String(index)}`,
  }));
  const killed = await Promise.all(orders.map(({ url, orderId }) => write(url, orderId, point)));
  expect(killed).toEqual(orders.map(() => 'SIGKILL'));

  const streamSettings = { replicas: 1, maxAgeHours: 1 };
  const relays = databases.map(({ database }) =>
    startRelay({ database, broker, stream: 'ORDER', streamSettings, log, metrics: createMetrics('test') }),
  );
  try {
    for (const { database, orderId } of orders) {
      await eventually(async () => (await database.read().count(OutboxMessage, { publishedAt: null })) === 0);
      const committed = await database
        .read()
        .find(OutboxMessage, { aggregateId: orderId }, { orderBy: { seq: 'asc' } });
      expect(committed.map(({ version }) => String(version))).toEqual(expected);
      expect(await storedOf(orderId)).toEqual(expected);
    }
  } finally {
    await Promise.all(relays.map((stop) => stop()));
  }
});
