// What must hold between outboxes and streams (G1, G3, G7): every committed event is stored, nothing else is, and in version order.
import type { Report } from './checker.ts';
import type { OutboxFact, Snapshot, StoredMessage } from './snapshot.ts';

export function checkMessages({ orders, outbox, stored }: Snapshot, report: Report): void {
  const storedById = Map.groupBy(stored, (message) => `${message.stream} ${message.id}`);
  const outboxById = new Map(outbox.map((row) => [`${row.stream} ${row.id}`, row]));

  for (const [key, row] of outboxById) {
    const [message] = storedById.get(key) ?? [];
    if (!row.isPublished) report('every event is published', row.aggregateId, describe(row));
    else if (message === undefined) report('what was published is stored', row.aggregateId, describe(row));
  }
  for (const [key, [message]] of storedById) {
    if (message !== undefined && !outboxById.has(key)) {
      report('only what was committed is stored', message.aggregateId, describe(message));
    }
  }

  for (const messages of Map.groupBy(stored, ({ stream, aggregateId }) => `${stream} ${aggregateId}`).values()) {
    const seen = new Set<string>();
    let highest = 0;
    for (const message of messages) {
      // Past the broker's window a repeat may be stored again; what counts is where each event stands first.
      if (seen.has(message.id)) continue;
      seen.add(message.id);
      // A resent order.placed tells of the version that it finds, like the status that it follows.
      if (message.version < highest) {
        report(
          'streams are in version order',
          message.aggregateId,
          `${describe(message)} stands behind ${String(highest)}`,
        );
      }
      highest = Math.max(highest, message.version);
    }
  }

  const ofOrder = Map.groupBy(
    outbox.filter(({ service }) => service === 'order'),
    ({ aggregateId }) => aggregateId,
  );
  for (const { id, timeline } of orders) {
    const events = ofOrder.get(id) ?? [];
    const versions = events.filter(({ type }) => type === 'order.status').map(({ version }) => version);
    if (versions.join() !== timeline.map(({ version }) => version).join()) {
      report(
        'one status event for each change',
        id,
        `timeline of ${String(timeline.length)}, events ${versions.join()}`,
      );
    }
  }
}

const describe = (event: OutboxFact | StoredMessage): string => {
  const where =
    'service' in event ? `outbox ${event.service} row ${String(event.seq)}` : `message ${String(event.seq)}`;
  return `${event.stream} ${where}: ${event.type} version ${String(event.version)} (${event.id})`;
};
