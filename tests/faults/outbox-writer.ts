// A process for outbox-kill.int.test.ts: commits changes with their events, and is killed (SIGKILL, by itself) at a chosen point.
import { pino } from 'pino';
import { openDatabase } from '../../service/database.ts';
import { connectBroker } from '../../service/nats.ts';
import { stageEvent } from '../../service/outbox.ts';
import { startRelay } from '../../service/relay.ts';
import { createMetrics } from '../../service/telemetry.ts';

/** Where a writer dies. */
type KillPoint = 'before the commit' | 'after the commit' | 'after storing, before marking';

const [databaseUrl, servers, orderId, point] = process.argv.slice(2) as [string, string, string, KillPoint];
const die = (): void => void process.kill(process.pid, 'SIGKILL');
let isArmed = false;

const log = pino({ level: 'silent' });
const database = await openDatabase({
  url: databaseUrl,
  poolSize: 4,
  entities: [],
  migrations: [],
  onQuery(sql) {
    if (isArmed && point === 'after storing, before marking' && sql.includes('set published_at')) die();
  },
});
const broker = connectBroker({ servers, name: 'writer', log });
await broker.connection;
// Before the relay's own: the process is gone before it can publish.
database.onTransaction({
  beforeCommit: () => Promise.resolve(),
  afterCommit: () => {
    if (isArmed && point === 'after the commit') die();
  },
});
startRelay({
  ...{ database, broker, log, stream: 'ORDER' as const, metrics: createMetrics('writer') },
  streamSettings: { replicas: 1, maxAgeHours: 1 },
});
// Behind the relay's own: what a relay would publish too early is in the stream when the process dies.
database.onTransaction({
  async beforeCommit() {
    if (!isArmed || point !== 'before the commit') return;
    await new Promise((resolve) => setTimeout(resolve, 150));
    die();
  },
  afterCommit: () => undefined,
});

const commit = (version: number): Promise<void> =>
  database.transaction(async (em) => {
    const at = new Date();
    const order = { id: orderId, customerId: 'alice' };
    const data = {
      status: 'PAID' as const,
      previousStatus: null,
      version,
      reason: null,
      occurredAt: at.toISOString(),
      order,
    };
    stageEvent(em, 'order.status', data, { source: 'order', aggregateId: orderId, version, at });
    await em.flush();
  });

await commit(1);
// The relay publishes by the fast way from its first look at the stream on: it has to be under way when the process dies.
await published();
isArmed = true;
await commit(2);

async function published(): Promise<void> {
  for (;;) {
    const [row] = await database
      .read()
      .execute<{ count: string }[]>('select count(*) as count from outbox where published_at is null');
    if (Number(row?.count) === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
