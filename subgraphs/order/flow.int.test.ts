// How an order moves by what payment and delivery say, over real PostgreSQL and NATS. The test is payment and delivery.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { contractOf, readFixture } from '../../dev/contracts.ts';
import { startTestOrder } from '../../dev/order-testing.ts';
import type { TestOrder } from '../../dev/order-testing.ts';
import type { Answer, Published } from '../../dev/subgraph-testing.ts';
import { eventually, startInfrastructure } from '../../dev/testing.ts';
import type { Infrastructure } from '../../dev/testing.ts';
import type { CancelReply, CommandRequest, EventType, OrderStatus } from '../../schema/events.ts';
import { createLog } from '../../service/log.ts';
import { serveCommand } from '../../service/nats.ts';

let infrastructure: Infrastructure;
let order: TestOrder;
let alice: string;
let operator: string;
let stopServing: () => Promise<void>;
/** What payment answers to a cancel, and what it was asked. */
let answer: () => Promise<CancelReply>;
let asked: CommandRequest<'payment.cancel'>[];

beforeAll(async () => {
  infrastructure = await startInfrastructure();
  order = await startTestOrder(infrastructure);
  alice = await order.bearer('alice');
  operator = await order.bearer('olivia', 'orders:release');
  stopServing = serveCommand(order.broker, 'payment.cancel', createLog('payment', 'silent'), (request) => {
    asked.push(request);
    return answer();
  });
});
afterAll(async () => {
  await stopServing();
  await order.close();
  await infrastructure.close();
});
beforeEach(() => {
  asked = [];
  answer = () => Promise.resolve({ outcome: 'cancelled' });
});
afterEach(() => void Object.assign(order.settings, { initialStatus: 'ORDERED', aheadMs: 0 }));

type Fact = Exclude<EventType, 'order.status' | 'delivery.status'>;
/** Says a fact of an order, as the example of its type says it. */
const say = (type: Fact, orderId: string): Promise<string> =>
  order.publish(type, { ...readFixture(type).payload, orderId });

const reached = (orderId: string, status: OrderStatus): Promise<Published> =>
  order.event('order.status', orderId, (payload) => payload['status'] === status);

/** The statuses that watchers were told of an order, with their versions. */
const told = (orderId: string): string[] =>
  order
    .published(orderId)
    .filter(({ type }) => type === 'order.status')
    .map(({ payload }) => `${String(payload['version'])} ${String(payload['status'])}`);

async function read(id: string): Promise<Record<string, unknown>> {
  const query = `query ($id: ID!) { order(id: $id) { status version statusReason deliveryId deliveryStatus timeline { status reason } } }`;
  return ((await order.ask(query, { variables: { id }, as: alice })).data as { order: Record<string, unknown> }).order;
}

const cancel = (orderId: string, reason?: string): Promise<Answer> =>
  order.ask(
    'mutation ($input: CancelOrderInput!) { cancelOrder(input: $input) { order { id status statusReason } } }',
    {
      variables: { input: { orderId, reason } },
      as: alice,
    },
  );

const release = (orderId: string, as = operator): Promise<Answer> =>
  order.ask('mutation ($id: ID!) { releaseOrder(input: { orderId: $id }) { order { id status } } }', {
    variables: { id: orderId },
    as,
  });

/** An order that has been led to a status. */
async function orderIn(status: 'ORDERED' | 'PAID' | 'DELIVERING' | 'DELIVERED' | 'REJECTED'): Promise<string> {
  const id = await order.placed({}, alice);
  if (status === 'REJECTED') await say('payment.declined', id);
  if (status === 'PAID' || status === 'DELIVERING' || status === 'DELIVERED') await say('payment.paid', id);
  if (status === 'DELIVERING' || status === 'DELIVERED') await say('delivery.started', id);
  if (status === 'DELIVERED') await say('delivery.completed', id);
  await reached(id, status);
  return id;
}

const heard = async (): Promise<void> => {
  await order.handled('PAYMENT', 'order-payment');
  await order.handled('DELIVERY', 'order-delivery');
};

describe('an order', () => {
  test('moves with each fact, and tells each change once, in version order', async () => {
    const id = await orderIn('DELIVERED');
    await heard();
    expect(told(id)).toEqual(['1 ORDERED', '2 PAID', '3 DELIVERING', '4 DELIVERED']);
    expect(await read(id)).toEqual({
      status: 'DELIVERED',
      version: 4,
      statusReason: null,
      deliveryId: readFixture('delivery.started').payload.deliveryId,
      deliveryStatus: 'COMPLETED',
      timeline: ['ORDERED', 'PAID', 'DELIVERING', 'DELIVERED'].map((status) => ({ status, reason: null })),
    });
  });

  test('is rejected when its payment is declined, with the reason', async () => {
    const id = await orderIn('REJECTED');
    expect(await read(id)).toMatchObject({ status: 'REJECTED', statusReason: 'card_declined', version: 2 });
  });

  test('takes facts in whatever order they come', async () => {
    const id = await order.placed({}, alice);
    await say('delivery.completed', id);
    await say('delivery.started', id);
    await heard();
    expect(await read(id)).toMatchObject({ status: 'ORDERED', deliveryStatus: 'COMPLETED' });
    await say('payment.paid', id);
    await reached(id, 'DELIVERED');
    expect(told(id)).toEqual(['1 ORDERED', '2 PAID', '3 DELIVERING', '4 DELIVERED']);
  });

  test('is not moved by facts that are said again', async () => {
    const id = await orderIn('DELIVERING');
    for (const type of ['payment.paid', 'delivery.started', 'payment.paid'] as const) await say(type, id);
    await heard();
    expect(await read(id)).toMatchObject({ status: 'DELIVERING', version: 3 });
    expect(told(id)).toHaveLength(3);
  });

  test('goes on when the fact before it was about an order that does not exist, and that one is parked', async () => {
    const stranger = crypto.randomUUID();
    await say('payment.paid', stranger);
    const id = await orderIn('PAID');
    const manager = await (await order.broker.connection).jetstreamManager();
    const parked = await eventually(() =>
      manager.streams.getMessage('DEAD_LETTER', { last_by_subj: 'dead-letter.order-payment' }).catch(() => undefined),
    );
    expect(parked.header.get('dead-letter-reason')).toBe(`There is no order ${stranger}.`);
    expect(parked.header.get('dead-letter-code')).toBe('MESSAGE_INVALID');
    expect(await read(id)).toMatchObject({ status: 'PAID' });
  });

  test('that is sent again, as nobody has answered, changes nothing else', async () => {
    const id = await order.placed({}, alice);
    await order.event('order.placed', id);
    order.settings.aheadMs = 7_200_000;
    await eventually(async () => order.published(id).filter(({ type }) => type === 'order.placed').length > 1);
    expect(told(id)).toEqual(['1 ORDERED']);
  });
});

test('every event is written as its example is', async () => {
  const id = await order.placed({ deliveryAddress: '서울시 종로구 1', paymentToken: 'tok_visa' }, alice);
  await say('payment.paid', id);
  await reached(id, 'PAID');
  await cancel(id, 'changed my mind');
  for (const type of ['order.placed', 'order.status', 'order.cancelled'] as const) {
    const written = await order.event(type, id, ({ status }) => type !== 'order.status' || status === 'PAID');
    expect(contractOf(written)).toEqual(contractOf(readFixture(type)));
  }
});

describe('an order on hold', () => {
  const held = (): Promise<string> => {
    order.settings.initialStatus = 'ON_HOLD';
    return order.placed({}, alice);
  };

  test('is kept back from payment until an operator releases it, once', async () => {
    const id = await held();
    await reached(id, 'ON_HOLD');
    const later = await order.placed({}, alice);
    await reached(later, 'ON_HOLD');
    expect(order.published(id).map(({ type }) => type)).toEqual(['order.status']);
    for (let times = 0; times < 2; times += 1) {
      expect((await release(id)).data).toEqual({ releaseOrder: { order: { id, status: 'ORDERED' } } });
    }
    await order.event('order.placed', id);
    await say('payment.paid', id);
    await reached(id, 'PAID');
    expect(told(id)).toEqual(['1 ON_HOLD', '2 ORDERED', '3 PAID']);
    expect(order.published(id).filter(({ type }) => type === 'order.placed')).toHaveLength(1);
  });

  test('is released by nobody else, and no other order is', async () => {
    const id = await held();
    expect((await release(id, alice)).errors).toMatchObject([
      { path: ['releaseOrder'], extensions: { code: 'FORBIDDEN' } },
    ]);
    expect((await release(id, '')).errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    expect((await release(crypto.randomUUID())).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    expect((await release('x')).errors).toMatchObject([
      { extensions: { code: 'BAD_USER_INPUT', argument: 'input.orderId' } },
    ]);
    expect(await read(id)).toMatchObject({ status: 'ON_HOLD' });
  });

  test('can be cancelled, and is then not released', async () => {
    const id = await held();
    expect((await cancel(id)).data).toMatchObject({ cancelOrder: { order: { status: 'CANCELLED' } } });
    expect((await release(id)).errors).toMatchObject([{ extensions: { code: 'ORDER_NOT_ON_HOLD' } }]);
    await order.event('order.cancelled', id);
    expect(order.published(id).map(({ type }) => type)).not.toContain('order.placed');
  });
});

describe('a cancel', () => {
  test.each(['ORDERED', 'PAID', 'DELIVERING'] as const)(
    'of an order that is %s asks payment, then it is CANCELLED',
    async (status) => {
      const id = await orderIn(status);
      expect((await cancel(id, 'changed my mind')).data).toEqual({
        cancelOrder: { order: { id, status: 'CANCELLED', statusReason: 'changed my mind' } },
      });
      expect(asked).toEqual([
        { orderId: id, customerId: 'alice', amount: { amount: 4_000, currency: 'KRW' }, reason: 'changed my mind' },
      ]);
      await order.event('order.cancelled', id);
      expect(
        told(id)
          .slice(-2)
          .map((each) => each.slice(2)),
      ).toEqual(['CANCELLING', 'CANCELLED']);
    },
  );

  test('asked for twice is one cancel', async () => {
    const id = await orderIn('PAID');
    await cancel(id);
    expect((await cancel(id)).data).toMatchObject({ cancelOrder: { order: { status: 'CANCELLED' } } });
    expect(asked).toHaveLength(1);
    expect(told(id)).toEqual(['1 ORDERED', '2 PAID', '3 CANCELLING', '4 CANCELLED']);
  });

  const unknown: [string, () => Promise<CancelReply>][] = [
    ['payment fails', () => Promise.reject(new Error('broken'))],
    ['payment does not know yet', () => Promise.resolve({ outcome: 'pending' })],
    ['payment answers nonsense', () => Promise.resolve({ outcome: 'perhaps' } as unknown as CancelReply)],
  ];
  test.each(unknown)('stays CANCELLING while %s, and is asked again until it is known', async (_, first) => {
    const id = await orderIn('PAID');
    answer = first;
    expect((await cancel(id)).data).toMatchObject({ cancelOrder: { order: { status: 'CANCELLING' } } });
    expect(order.published(id).map(({ type }) => type)).not.toContain('order.cancelled');
    answer = () => Promise.resolve({ outcome: 'cancelled' });
    order.settings.aheadMs = 60_000;
    await reached(id, 'CANCELLED');
    expect(asked.length).toBeGreaterThan(1);
    expect(told(id)).toEqual(['1 ORDERED', '2 PAID', '3 CANCELLING', '4 CANCELLED']);
  });

  test('ends when the fact comes before the answer', async () => {
    const id = await orderIn('PAID');
    answer = () => Promise.resolve({ outcome: 'pending' });
    await cancel(id);
    await say('payment.cancelled', id);
    await reached(id, 'CANCELLED');
    expect(told(id)).toHaveLength(4);
  });

  test('that is refused says why, and the order goes on from where it was', async () => {
    const id = await orderIn('DELIVERING');
    answer = () => Promise.resolve({ outcome: 'refused', reason: 'The food was delivered.' });
    const { data, errors } = await cancel(id);
    expect(data).toBeNull();
    expect(errors).toMatchObject([
      { message: 'The food was delivered.', path: ['cancelOrder'], extensions: { code: 'ORDER_NOT_CANCELLABLE' } },
    ]);
    expect(await read(id)).toMatchObject({ status: 'DELIVERING', statusReason: 'The food was delivered.' });
    // Asked again before the completion is heard of: payment has nothing new to say, and watchers see no more of it.
    const askedBefore = asked.length;
    expect((await cancel(id)).errors).toEqual(errors);
    expect(asked).toHaveLength(askedBefore);
    await say('delivery.completed', id);
    await reached(id, 'DELIVERED');
    expect(told(id).map((each) => each.slice(2))).toEqual([
      'ORDERED',
      'PAID',
      'DELIVERING',
      'CANCELLING',
      'DELIVERING',
      'DELIVERED',
    ]);
  });

  test('remembers the facts that come meanwhile, should it be refused', async () => {
    const id = await orderIn('ORDERED');
    answer = () => Promise.resolve({ outcome: 'pending' });
    await cancel(id);
    for (const type of ['payment.paid', 'delivery.started', 'delivery.completed'] as const) await say(type, id);
    await heard();
    expect(await read(id)).toMatchObject({ status: 'CANCELLING', deliveryStatus: 'COMPLETED' });
    answer = () => Promise.resolve({ outcome: 'refused', reason: 'The food was delivered.' });
    order.settings.aheadMs = 60_000;
    await reached(id, 'DELIVERED');
    expect(told(id).map((each) => each.slice(2))).toEqual([
      'ORDERED',
      'CANCELLING',
      'ORDERED',
      'PAID',
      'DELIVERING',
      'DELIVERED',
    ]);
    expect(order.published(id).filter(({ type }) => type === 'order.placed')).toHaveLength(1);
  });

  test.each(['DELIVERED', 'REJECTED'] as const)(
    'of an order that is %s is refused, and payment is not asked',
    async (status) => {
      const id = await orderIn(status);
      expect((await cancel(id)).errors).toMatchObject([
        { path: ['cancelOrder'], extensions: { code: 'ORDER_NOT_CANCELLABLE' } },
      ]);
      expect(asked).toEqual([]);
      expect(await read(id)).toMatchObject({ status });
    },
  );

  test('with a reason that is too long is refused', async () => {
    const id = await orderIn('ORDERED');
    const { errors } = await cancel(id, 'a'.repeat(201));
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'input.reason' } }]);
    expect(await read(id)).toMatchObject({ status: 'ORDERED' });
  });
});

describe('an outage', () => {
  test('of the broker: orders are taken and cancels noted, and all is told when it is back', async () => {
    const { process } = infrastructure.nats;
    await process.stop();
    const id = await order.placed({}, alice);
    const cancelled = await order.placed({}, alice);
    expect((await cancel(cancelled)).data).toMatchObject({ cancelOrder: { order: { status: 'CANCELLING' } } });
    await process.start();
    await order.event('order.placed', id);
    order.settings.aheadMs = 60_000;
    await reached(cancelled, 'CANCELLED');
  });

  test('of the database: not ready, said so with its code, and well again afterwards', async () => {
    const { process } = infrastructure.postgres;
    const health = async (name: string): Promise<number> => (await fetch(new URL(`/health/${name}`, order.url))).status;
    const id = await order.placed({}, alice);
    await process.stop();
    const { errors } = await order.ask(`{ order(id: "${id}") { id } }`, { as: alice });
    expect(errors).toMatchObject([{ path: ['order'], extensions: { code: 'SERVICE_UNAVAILABLE' } }]);
    expect(JSON.stringify(errors)).not.toMatch(/ECONN|127\.0\.0\.1|postgres/i);
    expect([await health('live'), await health('ready')]).toEqual([200, 503]);
    await process.start();
    expect([await health('live'), await health('ready')]).toEqual([200, 200]);
    expect(await read(id)).toMatchObject({ status: 'ORDERED' });
  });
});
