// An order's way from the mutation to the door, over the stack that `npm start` runs: rules F1 to F6 as a customer meets them.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processNames, subgraphNames } from '../dev/stack-addresses.ts';
import { startStack } from '../dev/stack.ts';
import type { Stack } from '../dev/stack.ts';
import { patient, signIn, subscriptionsOpen } from './client.ts';
import type { Customer } from './client.ts';

const kimbap = '0190a000-0000-7000-8000-000000000001';
const place = `mutation Place($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id status total { amount currency } } } }`;
const watchOrder = `subscription Watch($id: ID!) { orderStatusChanged(orderId: $id) {
  cursor status previousStatus version reason
  order { id status items { menuName quantity } payment { status amount { amount } } delivery { id status } } } }`;

interface OrderEvent {
  cursor: string;
  status: string;
  previousStatus: string | null;
  version: number;
  reason: string | null;
  order: {
    id: string;
    items: { menuName: string; quantity: number }[];
    payment: { status: string; amount: { amount: number } } | null;
    delivery: { id: string; status: string } | null;
  };
}

let stack: Stack;
let alice: Customer;
let bob: Customer;
let rider: Customer;
let operator: Customer;

beforeAll(async () => {
  stack = await startStack({
    dataDir: await mkdtemp(join(tmpdir(), 'baedal-e2e-')),
    disposable: true,
    environment: { router: patient },
  });
  alice = await signIn(stack, 'alice');
  bob = await signIn(stack, 'bob');
  rider = await signIn(stack, 'rider', 'deliveries:read deliveries:write');
  operator = await signIn(stack, 'operator', 'orders:read:all orders:release menus:write');
});
afterAll(() => stack.stop());

const placeOrder = async (customer: Customer, more: Record<string, unknown> = {}): Promise<string> => {
  const input = { items: [{ menuId: kimbap, quantity: 2 }], deliveryAddress: '1 Sejong-daero', ...more };
  const { placeOrder: placed } = await customer.get<{ placeOrder: { order: { id: string; status: string } } }>(place, {
    input,
  });
  expect(placed.order.status).toBe('ORDERED');
  return placed.order.id;
};

const complete = (deliveryId: string) =>
  rider.get(`mutation($id: ID!) { completeDelivery(input: { deliveryId: $id }) { delivery { status } } }`, {
    id: deliveryId,
  });

test('F1, F2, F3, F5: the customer watches the order go to the door, each status in order and once', async () => {
  const id = await placeOrder(alice);
  const watch = alice.watch<OrderEvent>(watchOrder, { id });
  const delivering = await watch.until((event) => event.status === 'DELIVERING');
  expect(delivering.order.payment).toEqual({ status: 'PAID', amount: { amount: 8_000 } });
  expect(delivering.order.delivery?.status).toBe('STARTED');
  expect(delivering.order.items).toEqual([{ menuName: '김밥', quantity: 2 }]);
  await complete(delivering.order.delivery?.id ?? '');
  await watch.until((event) => event.status === 'DELIVERED');
  await watch.stop();

  // The subscription began after the order was placed: it starts with the status of that moment, and misses none behind it.
  const statuses = watch.seen.map((event) => event.status);
  const whole = ['ORDERED', 'PAID', 'DELIVERING', 'DELIVERED'];
  expect(statuses).toEqual(whole.slice(whole.length - statuses.length));
  expect(watch.seen.map((event) => event.version)).toEqual(
    watch.seen.map((_, index) => whole.length - statuses.length + index + 1),
  );
  expect(new Set(watch.seen.map((event) => event.cursor)).size).toBe(watch.seen.length);

  const page = await alice.get<{ myOrders: { edges: { node: Record<string, unknown> }[]; totalCount: number } }>(
    `{ myOrders(first: 1) { totalCount edges { node { id status deliveryStatus timeline { status } payment { status } delivery { status address } } } } }`,
  );
  expect(page.myOrders.edges[0]?.node).toEqual({
    id,
    status: 'DELIVERED',
    deliveryStatus: 'COMPLETED',
    timeline: whole.map((status) => ({ status })),
    payment: { status: 'PAID' },
    delivery: { status: 'COMPLETED', address: '1 Sejong-daero' },
  });
});

test('all of my orders from now on: a subscription that was there first sees every status of a new order', async () => {
  await subscriptionsOpen(stack, 0);
  const watch = alice.watch<OrderEvent>(
    `subscription { myOrderStatusChanged { status version order { id payment { status } delivery { status } } } }`,
  );
  await subscriptionsOpen(stack, 1);
  const id = await placeOrder(alice);
  await watch.until((event) => event.order.id === id && event.status === 'DELIVERING');
  expect(watch.seen.filter((event) => event.order.id === id).map((event) => event.status)).toEqual([
    'ORDERED',
    'PAID',
    'DELIVERING',
  ]);
  await watch.stop();
});

test('F4, N1: a cancelled order cancels its payment and its delivery, and is cancelled only then', async () => {
  const id = await placeOrder(alice);
  const watch = alice.watch<OrderEvent>(watchOrder, { id });
  await watch.until((event) => event.status === 'DELIVERING');
  const { cancelOrder } = await alice.get<{ cancelOrder: { order: { status: string; payment: { status: string } } } }>(
    `mutation($id: ID!) { cancelOrder(input: { orderId: $id, reason: "too late" }) { order { status payment { status } delivery { status } } } }`,
    { id },
  );
  expect(cancelOrder.order).toEqual({
    status: 'CANCELLED',
    payment: { status: 'CANCELLED' },
    delivery: { status: 'CANCELLED' },
  });
  const cancelled = await watch.until((event) => event.status === 'CANCELLED');
  expect(cancelled).toMatchObject({ previousStatus: 'CANCELLING', reason: 'too late' });
  await watch.stop();
});

test('F4: a delivered order cannot be cancelled, and the reason is said', async () => {
  const id = await placeOrder(alice);
  const watch = alice.watch<OrderEvent>(watchOrder, { id });
  const delivering = await watch.until((event) => event.status === 'DELIVERING');
  await complete(delivering.order.delivery?.id ?? '');
  await watch.until((event) => event.status === 'DELIVERED');
  await watch.stop();
  const { errors } = await alice.ask(`mutation($id: ID!) { cancelOrder(input: { orderId: $id }) { order { id } } }`, {
    id,
  });
  expect(errors).toMatchObject([
    { message: 'The order was delivered.', path: ['cancelOrder'], extensions: { code: 'ORDER_NOT_CANCELLABLE' } },
  ]);
});

test('F6: a declined payment rejects the order, with the reason', async () => {
  const id = await placeOrder(alice, { paymentToken: 'tok_declined' });
  const watch = alice.watch<OrderEvent>(watchOrder, { id });
  const rejected = await watch.until((event) => event.status === 'REJECTED');
  expect(rejected).toMatchObject({
    reason: 'card_declined',
    order: { payment: { status: 'DECLINED' }, delivery: null },
  });
  await watch.stop();
});

describe('nobody gets in where they do not belong', () => {
  test("someone else's order is not there: by query, by cancel, by subscription", async () => {
    const id = await placeOrder(alice);
    const answer = await bob.ask(`query($id: ID!) { order(id: $id) { id status } }`, { id });
    expect(answer).toMatchObject({
      data: { order: null },
      errors: [{ path: ['order'], extensions: { code: 'NOT_FOUND' } }],
    });
    const cancel = await bob.ask(`mutation($id: ID!) { cancelOrder(input: { orderId: $id }) { order { id } } }`, {
      id,
    });
    expect(cancel.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    const watch = bob.watch<OrderEvent>(watchOrder, { id });
    await expect(watch.until(() => true)).rejects.toThrow('NOT_FOUND');
    await watch.stop();
    const seen = await operator.get<{ order: { id: string } }>(`query($id: ID!) { order(id: $id) { id } }`, { id });
    expect(seen.order.id).toBe(id);
  });

  test.each(subgraphNames)(
    '%s asked directly without a token, or with another customer’s, reveals nothing',
    async (name) => {
      const id = await placeOrder(alice);
      const url = `${stack.processes[name].url}/graphql`;
      const field = { order: 'status', payment: 'payment { id }', delivery: 'delivery { id }' }[name];
      const query = `query($id: ID!) { _entities(representations: [{ __typename: "Order", id: $id }]) { ... on Order { ${field} } } }`;
      const ask = async (authorization: string | undefined) => {
        const headers = {
          'content-type': 'application/json',
          ...(authorization === undefined ? {} : { authorization }),
        };
        const body = JSON.stringify({ query, variables: { id } });
        return (await fetch(url, { method: 'POST', headers, body })).json() as Promise<{
          data?: { _entities: (Record<string, unknown> | null)[] } | null;
        }>;
      };
      for (const authorization of [undefined, `Bearer ${await stack.issuer.token({ sub: 'bob' })}`]) {
        const revealed =
          (await ask(authorization)).data?._entities.flatMap((entity) => Object.values(entity ?? {})) ?? [];
        expect(revealed.filter((value) => value !== null)).toEqual([]);
      }
    },
  );
});

test.each(processNames)('kill -9 of %s during an order: it is restarted, and the order still ends', async (name) => {
  const id = await placeOrder(alice);
  await stack.processes[name].kill('SIGKILL');
  await stack.processes[name].ready();
  const watch = alice.watch<OrderEvent>(watchOrder, { id });
  const delivering = await watch.until((event) => event.status === 'DELIVERING');
  await complete(delivering.order.delivery?.id ?? '');
  await watch.until((event) => event.status === 'DELIVERED');
  await watch.stop();
});
