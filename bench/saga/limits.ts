// What the database and the broker could do if nothing else were there: the same rows and messages, without any of our processes.
import { randomUUID } from 'node:crypto';
import { connect } from 'nats';
import type { Stack } from '../../dev/stack.ts';
import { openDatabase } from '../../service/database.ts';

const seconds = 4;
const connections = 10;

/**
 * Transactions per second that write what the saga of one order writes at its first step: one wide row and two outbox rows. A whole
 * order takes about five such transactions.
 */
export async function databaseLimit(stack: Stack): Promise<number> {
  const url = stack.databaseUrls.delivery;
  const database = await openDatabase({ url, poolSize: connections, entities: [], migrations: [] });
  await database.read().execute('create table if not exists bench_row (id uuid primary key, body jsonb not null)');
  await database
    .read()
    .execute('create table if not exists bench_outbox (seq bigserial primary key, payload text not null)');
  const until = performance.now() + seconds * 1_000;
  let count = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      await database
        .read()
        .execute(
          `with row as (insert into bench_row values (?, ?)) insert into bench_outbox (payload) values (?), (?)`,
          [randomUUID(), JSON.stringify({ body: 'x'.repeat(400) }), 'x'.repeat(400), 'x'.repeat(400)],
        );
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  await database.read().execute('drop table bench_row, bench_outbox');
  await database.close();
  return Math.round(count / seconds);
}

/** Messages per second that one client gets stored in a stream on disk, 256 of them on their way at once. */
export async function brokerLimit(stack: Stack): Promise<number> {
  const connection = await connect({ servers: stack.natsUrl.slice('nats://'.length) });
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: 'BENCH', subjects: ['bench.>'] });
  const jetstream = connection.jetstream();
  const payload = Buffer.alloc(400);
  const until = performance.now() + seconds * 1_000;
  let count = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      await jetstream.publish('bench.x', payload);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: 256 }, worker));
  await manager.streams.delete('BENCH');
  await connection.close();
  return Math.round(count / seconds);
}
