// N1, N2, N3 and G5 over the real stack: what goes on when a part is down, and that a cancel is never half-done.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../dev/testing.ts';
import type { SubgraphName } from '../../dev/stack-addresses.ts';
import type { SupervisedProcess } from '../../dev/supervisor.ts';
import { events } from '../../schema/events.ts';
import type { EventData } from '../../schema/events.ts';
import { cloudEventHeaders } from '../../service/cloudevent.ts';
import { subgraphEnv } from '../../service/env.ts';
import { toNatsHeaders } from '../../service/nats.ts';
import { patient } from '../client.ts';
import { ask } from './client.ts';
import { startWorld } from './world.ts';
import type { World } from './world.ts';

const batch = 20;
const menuId = '0190a000-0000-7000-8000-000000000001';
let folder: string;
let world: World;
let token: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-isolation-'));
  world = await startWorld({ folder: join(folder, 'data'), instances: 1, environment: { router: patient } });
  token = await world.issuer.token({ sub: 'alice' });
  await placeMany();
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

const part = (name: string): SupervisedProcess => {
  const found = world.processes.get(name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
};

async function place(paymentToken: string | null = null): Promise<string> {
  const answer = await ask<{ placeOrder: { order: { id: string } } }>(
    world.graphqlUrl,
    token,
    'mutation Place($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id } } }',
    { input: { items: [{ menuId, quantity: 1 }], paymentToken, idempotencyKey: randomUUID() } },
  );
  if (answer.kind !== 'data') throw new Error(`placeOrder: ${JSON.stringify(answer)}`);
  return answer.data.placeOrder.order.id;
}

/** Some orders one after the other. How fast that is with a part down is measured by the outage run (docs/guarantees.md), not here. */
async function placeMany(): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let index = 0; index < batch; index += 1) ids.push(await place());
  return ids;
}

const cancel = (orderId: string) =>
  ask<{ cancelOrder: { order: { status: string } } }>(
    world.graphqlUrl,
    token,
    'mutation Cancel($input: CancelOrderInput!) { cancelOrder(input: $input) { order { status } } }',
    { input: { orderId } },
    15_000,
  );

const rows = <Row>(name: SubgraphName, sql: string, parameters: readonly unknown[] = []): Promise<Row[]> =>
  world.databases[name].read().execute<Row[]>(sql, [...parameters]);

async function timelineOf(id: string): Promise<string[]> {
  const [row] = await rows<{ timeline: { status: string }[] }>(
    'order',
    'select timeline from customer_order where id = ?',
    [id],
  );
  return (row?.timeline ?? []).map(({ status }) => status);
}
const reach = (ids: readonly string[], timeline: readonly string[]): Promise<true> =>
  eventually(
    async () => (await Promise.all(ids.map(timelineOf))).every((one) => one.join() === timeline.join()),
    40_000,
  );
const takenOf = async (orderId: string): Promise<number> => {
  const [row] = await rows<{ taken: string | null }>(
    'payment',
    'select sum(charged - refunded) as taken from sandbox_charge where order_id = ?',
    [orderId],
  );
  return Number(row?.taken ?? 0);
};

test('N2: with delivery down orders are placed and paid all the same, and delivered when it is back', async () => {
  const before = await placeMany();
  await part('delivery').stop();
  const down = await placeMany();
  await reach(down, ['ORDERED', 'PAID']);
  await part('delivery').start();
  await reach([...before, ...down], ['ORDERED', 'PAID', 'DELIVERING']);
});

test('N3: with payment down orders are placed all the same, and paid and delivered when it is back', async () => {
  await part('payment').stop();
  const down = await placeMany();
  expect(await timelineOf(down[0] ?? '')).toEqual(['ORDERED']);
  await part('payment').start();
  await reach(down, ['ORDERED', 'PAID', 'DELIVERING']);
});

test('N3: with payment, delivery and NATS all down orders are placed all the same, and the backlog drains', async () => {
  await Promise.all(['payment', 'delivery', 'nats'].map((name) => part(name).stop()));
  const down = await placeMany();
  // What is there is given; the part that is not is null with a coded error.
  const response = await fetch(world.graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: `{ order(id: "${down[0] ?? ''}") { status payment { status } } }` }),
  });
  expect(await response.json()).toMatchObject({
    data: { order: { status: 'ORDERED', payment: null } },
    errors: [{ path: ['order', 'payment'], extensions: { code: 'SERVICE_UNAVAILABLE' } }],
  });
  await Promise.all(['nats', 'payment', 'delivery'].map((name) => part(name).start()));
  await reach(down, ['ORDERED', 'PAID', 'DELIVERING']);
});

test('N3: while every transaction of the consumers is stuck, orders are placed', async () => {
  const connections = subgraphEnv.DATABASE_BACKGROUND_POOL_SIZE.parse(undefined);
  const stuck = async (): Promise<number> => {
    const [row] = await rows<{ count: string }>(
      'order',
      `select count(*) from pg_stat_activity where datname = current_database() and query like '%insert%inbox%'
         and wait_event_type = 'Lock'`,
    );
    return Number(row?.count);
  };
  const ids: string[] = [];
  await world.databases.order.read().transactional(async (em) => {
    // Only what is done with a message needs the inbox. Each order has a message, which takes a connection after a while.
    await em.execute('lock table inbox in access exclusive mode');
    for (let taken = 1; taken <= connections; taken += 1) {
      ids.push(await place());
      await eventually(async () => (await stuck()) >= taken);
    }
    ids.push(...(await placeMany()), ...(await placeMany()));
    expect(await stuck()).toBe(connections);
  });
  await reach(ids, ['ORDERED', 'PAID', 'DELIVERING']);
});

test('N1: an order is not cancelled while payment cannot confirm it, and is when payment is back', async () => {
  const ids = await placeMany();
  await reach(ids, ['ORDERED', 'PAID', 'DELIVERING']);
  const [id = ''] = ids;
  await part('payment').stop();
  expect(await cancel(id)).toMatchObject({ data: { cancelOrder: { order: { status: 'CANCELLING' } } } });
  expect(await timelineOf(id)).toEqual(['ORDERED', 'PAID', 'DELIVERING', 'CANCELLING']);
  await part('payment').start();
  await reach([id], ['ORDERED', 'PAID', 'DELIVERING', 'CANCELLING', 'CANCELLED']);
  expect(await takenOf(id)).toBe(0);
  const [order] = await rows<{ updated_at: Date }>('order', 'select updated_at from customer_order where id = ?', [id]);
  const [payment] = await rows<{ cancelled_at: Date }>(
    'payment',
    'select cancelled_at from payment where order_id = ?',
    [id],
  );
  expect(new Date(payment?.cancelled_at ?? Infinity).getTime()).toBeLessThanOrEqual(
    new Date(order?.updated_at ?? 0).getTime(),
  );
});

test('N1: a paid order is not cancelled while delivery cannot say whether the food was handed over', async () => {
  const id = await place();
  await reach([id], ['ORDERED', 'PAID', 'DELIVERING']);
  await part('delivery').stop();
  expect(await cancel(id)).toMatchObject({ data: { cancelOrder: { order: { status: 'CANCELLING' } } } });
  expect(await takenOf(id)).toBe(4_000);
  await part('delivery').start();
  await reach([id], ['ORDERED', 'PAID', 'DELIVERING', 'CANCELLING', 'CANCELLED']);
  expect(await takenOf(id)).toBe(0);
});

test('G5: a reply that is lost means unknown, and the cancel is driven on after the order service was killed', async () => {
  const id = await place();
  await reach([id], ['ORDERED', 'PAID', 'DELIVERING']);
  const link = world.links.get('payment to nats');
  link?.cut(true);
  const cancelling = cancel(id);
  await eventually(async () => (await timelineOf(id)).at(-1) === 'CANCELLING');
  await part('order').kill('SIGKILL');
  link?.cut(false);
  await cancelling;
  await part('order').ready();
  await reach([id], ['ORDERED', 'PAID', 'DELIVERING', 'CANCELLING', 'CANCELLED']);
  expect(await takenOf(id)).toBe(0);
});

test('G5: a cancel that overtakes order.placed leaves a marker, and the late event charges nothing', async () => {
  const order = { orderId: randomUUID(), customerId: 'alice' };
  const total = { amount: 4_000, currency: 'KRW' };
  const command = { ...order, amount: total, reason: null };
  expect(await request('payment.cancel', command)).toEqual({ outcome: 'cancelled' });
  await publish('order.placed', { ...order, total, paymentToken: null, deliveryAddress: null, placedAt: now() });
  await handled('ORDER', 'payment-order');
  const [payment] = await rows<{ state: string }>('payment', 'select state from payment where order_id = ?', [
    order.orderId,
  ]);
  expect(payment?.state).toBe('CANCELLED');
  expect(await rows('payment', 'select * from sandbox_charge where order_id = ?', [order.orderId])).toEqual([]);
});

test('G5: a cancel that overtakes payment.paid leaves a marker, and the late event starts no delivery', async () => {
  const order = { orderId: randomUUID(), customerId: 'alice' };
  expect(await request('delivery.cancel', { ...order, reason: null })).toEqual({ outcome: 'cancelled' });
  const amount = { amount: 4_000, currency: 'KRW' };
  await publish('payment.paid', { ...order, paymentId: randomUUID(), amount, deliveryAddress: null, paidAt: now() });
  await handled('PAYMENT', 'delivery-payment');
  const found = await rows<{ status: string }>('delivery', 'select status from delivery where order_id = ?', [
    order.orderId,
  ]);
  expect(found.map(({ status }) => status)).toEqual(['CANCELLED']);
});

const now = (): string => new Date().toISOString();

const request = async (subject: string, body: unknown): Promise<unknown> =>
  (await world.broker.request(subject, JSON.stringify(body), { timeout: 5_000 })).json();

async function publish<Type extends 'order.placed' | 'payment.paid'>(type: Type, data: EventData<Type>): Promise<void> {
  const id = randomUUID();
  const subject = (events[type].subject as (of: EventData<Type>) => string)(data);
  const meta = { id, source: 'test', time: now(), aggregateId: data.orderId, version: 1, traceparent: undefined };
  const headers = toNatsHeaders(cloudEventHeaders(type, meta));
  await world.broker.jetstream().publish(subject, JSON.stringify(data), { msgID: id, headers });
}

/** Waits until a durable has nothing left to handle. */
async function handled(stream: string, durable: string): Promise<void> {
  const manager = await world.broker.jetstreamManager();
  await eventually(async () => {
    const { num_pending, num_ack_pending } = await manager.consumers.info(stream, durable);
    return num_pending === 0 && num_ack_pending === 0;
  });
}
