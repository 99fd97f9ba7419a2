// The delivery subgraph over real PostgreSQL, NATS and HTTP: started once or not at all, ended one way, and shown to those it concerns.
// The test is payment and the rider.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { contractOf, readFixture } from '../../dev/contracts.ts';
import { startTestDelivery } from '../../dev/delivery-testing.ts';
import type { Answer, TestSubgraph } from '../../dev/subgraph-testing.ts';
import { eventually, startInfrastructure } from '../../dev/testing.ts';
import type { Infrastructure } from '../../dev/testing.ts';
import type { CancelReply } from '../../schema/events.ts';
import { requestCommand } from '../../service/nats.ts';

let infrastructure: Infrastructure;
let delivery: TestSubgraph;
let alice: string;
let bob: string;
let rider: string;

beforeAll(async () => {
  infrastructure = await startInfrastructure();
  delivery = await startTestDelivery(infrastructure);
  alice = await delivery.bearer('alice');
  bob = await delivery.bearer('bob', 'menus:write payments:read');
  rider = await delivery.bearer('rita', 'deliveries:read deliveries:write');
});
afterAll(async () => {
  await delivery.close();
  await infrastructure.close();
});

/** Takes a payment, as its example does. */
async function pay(orderId: string = crypto.randomUUID()): Promise<string> {
  await delivery.publish('payment.paid', { ...readFixture('payment.paid').payload, orderId });
  return orderId;
}

/** An order whose delivery has started, and the id of that. */
async function started(): Promise<{ orderId: string; id: string }> {
  const orderId = await pay();
  const { payload } = await delivery.event('delivery.started', orderId);
  return { orderId, id: String(payload['deliveryId']) };
}

const cancel = (orderId: string): Promise<CancelReply> =>
  requestCommand(
    delivery.broker,
    'delivery.cancel',
    { orderId, customerId: 'alice', reason: 'changed my mind' },
    5_000,
  );

const complete = (id: string, as: string | undefined = rider): Promise<Answer> =>
  delivery.ask('mutation ($id: ID!) { completeDelivery(input: { deliveryId: $id }) { delivery { id status } } }', {
    variables: { id },
    as,
  });

/** The delivery of an order, as the customer sees it. */
async function seen(orderId: string, as = alice): Promise<Record<string, unknown> | null> {
  const { data } = await ofOrder(orderId, as);
  return (data as { _entities: { delivery: Record<string, unknown> | null }[] })._entities[0]?.delivery ?? null;
}

const ofOrder = (orderId: string, as: string | undefined): Promise<Answer> =>
  delivery.ask(
    `query ($id: ID!) { _entities(representations: [{ __typename: "Order", id: $id }]) { ... on Order { delivery {
      id status address startedAt completedAt cancelledAt order { id }
    } } } }`,
    { variables: { id: orderId }, as },
  );

const handled = (): Promise<void> => delivery.handled('PAYMENT', 'delivery-payment');

const told = (orderId: string): string[] =>
  delivery
    .published(orderId)
    .filter(({ type }) => type.startsWith('delivery.'))
    .map(({ type, payload }) =>
      type === 'delivery.status' ? `${String(payload['version'])} ${String(payload['status'])}` : type,
    );

/** Expects that nothing is written meanwhile. */
async function writingNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await delivery.count('delivery', 'outbox');
  const result = await work();
  expect(await delivery.count('delivery', 'outbox')).toEqual(before);
  return result;
}

describe('a payment that was taken', () => {
  test('starts the delivery at once', async () => {
    const { orderId, id } = await started();
    expect(await seen(orderId)).toEqual({
      id,
      status: 'STARTED',
      address: '서울시 종로구 1',
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      completedAt: null,
      cancelledAt: null,
      order: { id: orderId },
    });
    expect(told(orderId).sort()).toEqual(['1 STARTED', 'delivery.started']);
  });

  test('starts one delivery, however often its event comes; the start is said again, for those who missed it', async () => {
    const orderId = crypto.randomUUID();
    await Promise.all(Array.from({ length: 4 }, () => pay(orderId)));
    await handled();
    await eventually(() => Promise.resolve(told(orderId).length === 5));
    const ids = new Set(
      delivery
        .published(orderId)
        .map(({ payload }) => payload['deliveryId'])
        .filter(Boolean),
    );
    expect([...ids]).toEqual([(await seen(orderId))?.['id']]);
    expect(told(orderId).filter((each) => each === '1 STARTED')).toHaveLength(1);
  });
});

test('every event is written as its example is', async () => {
  const [completed, cancelled] = [await started(), await started()];
  await complete(completed.id);
  await cancel(cancelled.orderId);
  for (const [type, { orderId }] of [
    ['delivery.started', completed],
    ['delivery.status', completed],
    ['delivery.completed', completed],
    ['delivery.cancelled', cancelled],
  ] as const) {
    expect(contractOf(await delivery.event(type, orderId))).toEqual(contractOf(readFixture(type)));
  }
});

describe('completeDelivery', () => {
  test('completes it once, however often the rider says so', async () => {
    const { orderId, id } = await started();
    for (let times = 0; times < 2; times += 1) {
      expect((await complete(id.toUpperCase())).data).toEqual({
        completeDelivery: { delivery: { id, status: 'COMPLETED' } },
      });
    }
    expect(await seen(orderId)).toMatchObject({ status: 'COMPLETED', completedAt: expect.any(String) });
    await delivery.event('delivery.completed', orderId);
    expect(told(orderId).sort()).toEqual(['1 STARTED', '2 COMPLETED', 'delivery.completed', 'delivery.started']);
  });

  test('is for riders, and writes nothing otherwise', async () => {
    const { id } = await started();
    for (const [as, code] of [
      ['', 'UNAUTHENTICATED'],
      [alice, 'FORBIDDEN'],
      [bob, 'FORBIDDEN'],
    ] as const) {
      const { errors } = await writingNothing(() => complete(id, as));
      expect(errors).toMatchObject([{ path: ['completeDelivery'], extensions: { code } }]);
    }
  });

  test.each([
    ['x', 'BAD_USER_INPUT'],
    ['', 'BAD_USER_INPUT'],
    ['0190a000-0000-7000-8000-000000000000', 'NOT_FOUND'],
  ])('of "%s" is %s', async (id, code) => {
    const { errors } = await writingNothing(() => complete(id));
    expect(errors).toMatchObject([{ path: ['completeDelivery'], extensions: { code } }]);
  });

  test('of a cancelled delivery is refused', async () => {
    const { orderId, id } = await started();
    await cancel(orderId);
    const { errors } = await writingNothing(() => complete(id));
    expect(errors).toMatchObject([
      {
        message: 'The delivery was cancelled.',
        path: ['completeDelivery'],
        extensions: { code: 'DELIVERY_NOT_COMPLETABLE' },
      },
    ]);
  });
});

describe('a cancel', () => {
  test('calls the delivery off; asked again it answers the same', async () => {
    const { orderId } = await started();
    for (let times = 0; times < 3; times += 1) expect(await cancel(orderId)).toEqual({ outcome: 'cancelled' });
    expect(await seen(orderId)).toMatchObject({ status: 'CANCELLED', cancelledAt: expect.any(String) });
    await delivery.event('delivery.cancelled', orderId);
    expect(told(orderId).sort()).toEqual(['1 STARTED', '2 CANCELLED', 'delivery.cancelled', 'delivery.started']);
  });

  test('that overtakes its payment leaves a marker: the late payment starts nothing', async () => {
    const orderId = crypto.randomUUID();
    expect(await cancel(orderId)).toEqual({ outcome: 'cancelled' });
    await pay(orderId);
    await handled();
    expect(await seen(orderId)).toMatchObject({ status: 'CANCELLED', startedAt: null });
    await delivery.event('delivery.cancelled', orderId);
    expect(told(orderId).sort()).toEqual(['1 CANCELLED', 'delivery.cancelled']);
  });

  test('of delivered food is refused', async () => {
    const { orderId, id } = await started();
    await complete(id);
    for (let times = 0; times < 2; times += 1) {
      expect(await writingNothing(() => cancel(orderId))).toEqual({
        outcome: 'refused',
        reason: 'The food was delivered.',
      });
    }
    expect(await seen(orderId)).toMatchObject({ status: 'COMPLETED', cancelledAt: null });
  });

  test('at the very moment of the payment, or of completion, has one winner', async () => {
    for (let round = 0; round < 4; round += 1) {
      const orderId = crypto.randomUUID();
      const [answer] = await Promise.all([cancel(orderId).catch(() => cancel(orderId)), pay(orderId)]);
      await handled();
      expect(answer).toEqual({ outcome: 'cancelled' });
      expect(await seen(orderId)).toMatchObject({ status: 'CANCELLED' });

      const other = await started();
      const [reply, { errors }] = await Promise.all([cancel(other.orderId), complete(other.id)]);
      const cancelled = reply.outcome === 'cancelled';
      expect(errors?.[0]?.extensions['code']).toBe(cancelled ? 'DELIVERY_NOT_COMPLETABLE' : undefined);
      expect(await seen(other.orderId)).toMatchObject({ status: cancelled ? 'CANCELLED' : 'COMPLETED' });
    }
  });
});

describe('a delivery', () => {
  const byId = 'query ($id: ID!) { delivery(id: $id) { id status } }';
  const entity =
    'query ($id: ID!) { _entities(representations: [{ __typename: "Delivery", id: $id }]) { ... on Delivery { id status } } }';
  let orderId: string;
  let id: string;
  beforeAll(async () => {
    ({ orderId, id } = await started());
  });
  const ask = (query: string, as: string | undefined): Promise<Answer> =>
    delivery.ask(query, { variables: { id }, as });

  test.each(['alice', 'deliveries:read', 'orders:read:all'])('is shown to %s', async (who) => {
    const as = who === 'alice' ? alice : await delivery.bearer('carol', who);
    expect((await ask(byId, as)).data).toEqual({ delivery: { id, status: 'STARTED' } });
    expect((await ask(entity, as)).data).toEqual({ _entities: [{ id, status: 'STARTED' }] });
    expect(await seen(orderId, as)).toMatchObject({ id, status: 'STARTED' });
  });

  test('reveals nothing to others: it is answered like one that does not exist', async () => {
    const theirs = await ask(byId, bob);
    expect(theirs).toMatchObject({
      data: { delivery: null },
      errors: [{ path: ['delivery'], extensions: { code: 'NOT_FOUND' } }],
    });
    expect(await delivery.ask(byId, { variables: { id: crypto.randomUUID() }, as: bob })).toEqual(theirs);
    expect(await ask(entity, bob)).toMatchObject({
      data: { _entities: [null] },
      errors: [{ extensions: { code: 'NOT_FOUND' } }],
    });
    expect(await ofOrder(orderId, bob)).toEqual({ status: 200, data: { _entities: [{ delivery: null }] } });
  });

  test('reveals nothing without a token, or with one that does not hold', async () => {
    for (const [query, data] of [
      [byId, { delivery: null }],
      [entity, { _entities: [null] }],
    ] as const) {
      expect(await ask(query, undefined)).toMatchObject({
        data,
        errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
      });
      const refused = {
        status: 401,
        errors: [{ message: expect.any(String), extensions: { code: 'UNAUTHENTICATED' } }],
      };
      expect(await ask(query, 'Bearer forged')).toEqual(refused);
    }
    const stub = await ofOrder(orderId, undefined);
    expect(stub).toMatchObject({
      data: { _entities: [{ delivery: null }] },
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    });
  });

  test.each(['x', '', '1'])('with the id "%s" is bad input, also as an entity', async (bad) => {
    for (const query of [byId, entity]) {
      const { errors } = await delivery.ask(query, { variables: { id: bad }, as: alice });
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'id' } }]);
    }
    expect((await ofOrder(bad, alice)).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  });

  test('is read with many others in one query', async () => {
    const all = [{ orderId, id }, ...(await Promise.all(Array.from({ length: 9 }, started)))];
    const query = `query ($some: [_Any!]!) { _entities(representations: $some) { ... on Order { delivery { id } } ... on Delivery { id } } }`;
    for (const [some, found] of [
      [
        all.map((each) => ({ __typename: 'Order', id: each.orderId })),
        all.map((each) => ({ delivery: { id: each.id } })),
      ],
      [all.map((each) => ({ __typename: 'Delivery', id: each.id })), all.map((each) => ({ id: each.id }))],
    ]) {
      delivery.statements.length = 0;
      expect((await delivery.ask(query, { variables: { some }, as: alice })).data).toEqual({ _entities: found });
      expect(delivery.statements.filter(({ sql }) => /^select .* from "delivery".* in \(/.test(sql))).toHaveLength(1);
    }
  });
});

test('a delivery is read in one query for all viewers of a request, and shown to its own', async () => {
  const { orderId, id } = await started();
  const query = 'query ($of: [_Any!]!) { _entities(representations: $of) { ... on Order { delivery { id } } } }';
  const variables = { of: [{ __typename: 'Order', id: orderId }] };
  delivery.statements.length = 0;
  const [hers, his] = await delivery.askTogether(
    query,
    [alice, bob].map((as) => ({ variables, as })),
  );
  expect([hers?.data, his?.data]).toEqual([{ _entities: [{ delivery: { id } }] }, { _entities: [{ delivery: null }] }]);
  expect(delivery.statements.filter(({ sql }) => /^select .* from "delivery".* in \(/.test(sql))).toHaveLength(1);
});

describe('the list of deliveries', () => {
  const list = `query ($first: Int, $after: String, $status: DeliveryStatus) {
    deliveries(first: $first, after: $after, status: $status) { totalCount edges { node { id status } } pageInfo { hasNextPage endCursor } } }`;
  interface List {
    readonly totalCount: number;
    readonly edges: readonly { readonly node: { readonly id: string; readonly status: string } }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  }
  const page = async (variables: Record<string, unknown>): Promise<List> =>
    ((await delivery.ask(list, { variables, as: rider })).data as { deliveries: List }).deliveries;

  test('walked page by page shows each once, newest first, while others are added', async () => {
    const before = await page({ first: 100 });
    const seenIds: string[] = [];
    for (let after: string | null = null; ;) {
      const { edges, pageInfo }: List = await page({ first: 7, after });
      seenIds.push(...edges.map(({ node }) => node.id));
      if (!pageInfo.hasNextPage) break;
      after = pageInfo.endCursor;
      await started();
    }
    expect(seenIds).toEqual(before.edges.map(({ node }) => node.id));
    expect(seenIds).toEqual([...seenIds].sort().reverse());
    expect(seenIds).toHaveLength(before.totalCount);
  });

  test('can be only those of a status', async () => {
    await complete((await started()).id);
    const { edges, totalCount } = await page({ first: 100, status: 'COMPLETED' });
    expect(edges).toHaveLength(totalCount);
    expect(new Set(edges.map(({ node }) => node.status))).toEqual(new Set(['COMPLETED']));
  });

  test.each([
    [{ first: 0 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ after: 'x' }, 'after'],
  ])('with %j is bad input', async (variables, argument) => {
    const { errors } = await delivery.ask(list, { variables, as: rider });
    expect(errors).toMatchObject([{ path: ['deliveries'], extensions: { code: 'BAD_USER_INPUT', argument } }]);
  });

  test('is for riders', async () => {
    for (const [as, code] of [
      [undefined, 'UNAUTHENTICATED'],
      [alice, 'FORBIDDEN'],
      [bob, 'FORBIDDEN'],
    ] as const) {
      expect(await delivery.ask(list, { as })).toMatchObject({
        data: null,
        errors: [{ path: ['deliveries'], extensions: { code } }],
      });
    }
  });

  test('is read from an index, on a deep page too', async () => {
    await delivery.database.read().execute(`
      insert into delivery (id, order_id, customer_id, status, version)
      select ('0190a000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'order-' || n, 'many',
        case when n % 100 = 0 then 'COMPLETED' else 'CANCELLED' end, 1 from generate_series(1, 20000) n`);
    await delivery.database.read().execute('analyze');
    const after = Buffer.from(JSON.stringify('0190a000-0000-7000-8000-000000004000')).toString('base64url');
    for (const [status, index] of [
      [null, 'delivery_pkey'],
      ['COMPLETED', 'delivery_by_status'],
    ]) {
      delivery.statements.length = 0;
      expect((await page({ first: 10, after, status })).edges).toHaveLength(10);
      const [statement] = delivery.statements.filter(({ sql }) => /from "delivery" .* limit /.test(sql));
      const plan = await delivery.database
        .read()
        .execute<object[]>(`explain ${statement?.sql ?? ''}`, [...(statement?.parameters ?? [])]);
      expect(JSON.stringify(plan)).toMatch(new RegExp(`Index (Only )?Scan.* ${index}.*Index Cond`));
      expect(JSON.stringify(plan)).not.toMatch(/Seq Scan|Sort/);
    }
  });
});
