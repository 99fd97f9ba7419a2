// The whole story of one order, for a person who wants to know what went wrong: everything that every part knows of it, by time.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evidence } from './checker.ts';
import { subgraphNames } from '../../dev/stack-addresses.ts';
import type { World } from './world.ts';

/** What is told of one order; logs are cut at `mostLines`. */
export async function tellStory(world: World, evidence: Evidence, orderId: string, mostLines = 60): Promise<string> {
  const { snapshot, customers, watchers } = evidence;
  const order = snapshot.orders.find(({ id }) => id === orderId);
  const lines = [`── order ${orderId}`];
  const tell = (what: string, value: unknown): void => void lines.push(`  ${what}: ${JSON.stringify(value)}`);
  const record = customers.find(({ orderIds }) => orderIds.has(orderId));
  tell('customer', record === undefined ? null : { ...record, orderIds: [...record.orderIds] });
  if (order !== undefined) {
    const { timeline, ...row } = order;
    tell('order', row);
    for (const entry of timeline) tell('timeline', entry);
  }
  for (const payment of snapshot.payments.filter(({ order_id }) => order_id === orderId)) tell('payment', payment);
  for (const charge of snapshot.charges.filter(({ order_id }) => order_id === orderId)) tell('charge', charge);
  for (const delivery of snapshot.deliveries.filter(({ order_id }) => order_id === orderId)) tell('delivery', delivery);
  for (const row of snapshot.outbox.filter(({ aggregateId }) => aggregateId === orderId)) tell('outbox', row);
  for (const message of snapshot.stored.filter(({ aggregateId }) => aggregateId === orderId)) tell('stream', message);
  const eventIds = snapshot.outbox.filter(({ aggregateId }) => aggregateId === orderId).map(({ id }) => id);
  for (const name of subgraphNames) {
    if (eventIds.length === 0) break;
    const entries = await world.databases[name]
      .read()
      .execute<unknown[]>(`select * from inbox where event_id in (${eventIds.map(() => '?').join(', ')})`, eventIds);
    for (const entry of entries) tell(`inbox of ${name}`, entry);
  }
  for (const { name, events } of watchers) {
    for (const [index, event] of events.entries()) {
      // With what the watcher was given around it, which shows where a gap or a repeat came from.
      if (event.orderId === orderId) tell(name, { event, before: events[index - 1], after: events[index + 1] });
    }
  }
  const logged = await readLogs(join(world.folder, 'logs'), orderId);
  lines.push(...logged.slice(0, mostLines).map((line) => `  ${line}`));
  if (logged.length > mostLines) lines.push(`  … ${String(logged.length - mostLines)} more log lines`);
  return lines.join('\n');
}

/** Log lines that name the order, of all parts, by time. */
async function readLogs(folder: string, orderId: string): Promise<string[]> {
  const files = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(folder, file), 'utf8');
      return text
        .split('\n')
        .filter((line) => line.includes(orderId))
        .map((line) => ({ at: /"time":"?([^",}]+)/.exec(line)?.[1] ?? '', line: `${file}: ${line.slice(0, 600)}` }));
    }),
  );
  return found
    .flat()
    .sort((one, other) => one.at.localeCompare(other.at))
    .map(({ line }) => line);
}
