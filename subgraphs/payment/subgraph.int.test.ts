// The payment subgraph over a real database of each engine, NATS and HTTP: money is taken once or not at all, and shown to its owner alone. The test
// is order and delivery.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { contractOf, readFixture } from '../../dev/contracts.ts';
import { databaseEngines } from '../../dev/database-servers.ts';
import type { DatabaseServer } from '../../dev/database-servers.ts';
import { startTestPayment } from '../../dev/payment-testing.ts';
import type { TestPayment } from '../../dev/payment-testing.ts';
import type { Answer } from '../../dev/subgraph-testing.ts';
import { eventually, startInfrastructure } from '../../dev/testing.ts';
import type { Infrastructure } from '../../dev/testing.ts';
import type { CancelReply } from '../../schema/events.ts';
import { CodedError } from '../../service/errors.ts';
import { requestCommand } from '../../service/nats.ts';
import { SandboxCharge } from './sandbox-processor.ts';

describe.each(databaseEngines())('payment on $name', (engine) => {
  let infrastructure: Infrastructure;
  let server: DatabaseServer;
  let payment: TestPayment;
  let alice: string;

  beforeAll(async () => {
    infrastructure = await startInfrastructure();
    server = await engine.start(join(infrastructure.folder, 'databases'), ['payment']);
    payment = await startTestPayment(infrastructure, server.url('payment'));
    alice = await payment.bearer('alice');
  });
  afterAll(async () => {
    await payment.close();
    await server.close();
    await infrastructure.close();
  });
  beforeEach(() => payment.reset());

  /** Places an order, as its example does. */
  async function place(
    paymentToken: string | null = 'tok_visa',
    orderId: string = crypto.randomUUID(),
  ): Promise<string> {
    await payment.publish('order.placed', { ...readFixture('order.placed').payload, orderId, paymentToken });
    return orderId;
  }

  async function paid(token?: string): Promise<string> {
    const orderId = await place(token);
    await payment.event('payment.paid', orderId);
    return orderId;
  }

  const handled = (): Promise<void> => payment.handled('ORDER', 'payment-order');

  const cancel = (orderId: string, reason = 'changed my mind'): Promise<CancelReply> => {
    const amount = readFixture('order.placed').payload.total;
    return requestCommand(payment.broker, 'payment.cancel', { orderId, customerId: 'alice', amount, reason }, 5_000);
  };

  /** The processor's books of an order: what was taken and what was given back. */
  const books = async (orderId: string) =>
    (await payment.database.read().find(SandboxCharge, { orderId })).map(({ status, charged, refunded }) => ({
      status,
      charged,
      refunded,
    }));
  const taken = [{ status: 'APPROVED', charged: 11_500, refunded: 0 }];
  const returned = [{ status: 'REVERSED', charged: 11_500, refunded: 11_500 }];
  const barred = [{ status: 'REVERSED', charged: 0, refunded: 0 }];

  const told = (orderId: string): string[] =>
    payment
      .published(orderId)
      .map(({ type }) => type)
      .filter((type) => type.startsWith('payment.'));

  /** The payment of an order, as the customer sees it. */
  async function seen(orderId: string, as: string | undefined = alice): Promise<Record<string, unknown> | null> {
    const { data } = await ofOrder(orderId, as);
    return (data as { _entities: { payment: Record<string, unknown> | null }[] })._entities[0]?.payment ?? null;
  }

  const ofOrder = (orderId: string, as: string | undefined): Promise<Answer> =>
    payment.ask(
      `query ($id: ID!) { _entities(representations: [{ __typename: "Order", id: $id }]) { ... on Order { payment {
      id status amount { amount currency } declineReason paidAt cancelledAt order { id }
    } } } }`,
      { variables: { id: orderId }, as },
    );

  describe('an order that was placed', () => {
    test('is paid, and the payment says so to its customer', async () => {
      const orderId = await paid();
      expect(await seen(orderId)).toEqual({
        id: expect.any(String),
        status: 'PAID',
        amount: { amount: 11_500, currency: 'KRW' },
        declineReason: null,
        paidAt: expect.stringMatching(/^\d{4}-.*Z$/),
        cancelledAt: null,
        order: { id: orderId },
      });
      expect(await books(orderId)).toEqual(taken);
    });

    test('is declined by the processor, with its reason, and nothing is taken', async () => {
      const orderId = await place('tok_declined');
      await payment.event('payment.declined', orderId);
      expect(await seen(orderId)).toMatchObject({ status: 'DECLINED', declineReason: 'card_declined', paidAt: null });
      expect(await books(orderId)).toEqual([{ status: 'DECLINED', charged: 0, refunded: 0 }]);
    });

    test.each(['tok_slow', 'tok_unavailable_1', 'tok_unavailable_3', 'tok_lost_reply', null])(
      'with the token %s is charged exactly once',
      async (token) => {
        const orderId = await place(token);
        await payment.event('payment.paid', orderId);
        await handled();
        expect(await books(orderId)).toEqual(taken);
        expect(told(orderId)).toEqual(['payment.paid']);
      },
    );

    test('is charged once, however often its event comes', async () => {
      const orderId = crypto.randomUUID();
      await Promise.all(Array.from({ length: 5 }, () => place('tok_visa', orderId)));
      await payment.event('payment.paid', orderId);
      await handled();
      expect(await books(orderId)).toEqual(taken);
    });

    test('and then sent again, as it did not move, hears again what was decided', async () => {
      const orderId = await paid();
      await place('tok_visa', orderId);
      await eventually(() => Promise.resolve(told(orderId).length === 2));
      expect(told(orderId)).toEqual(['payment.paid', 'payment.paid']);
      expect(await books(orderId)).toEqual(taken);
    });

    test('shows no payment until it is decided', async () => {
      const { promise: decided, resolve } = Promise.withResolvers<void>();
      const { promise: onTheWay, resolve: started } = Promise.withResolvers<void>();
      payment.wire.wayThere = () => (started(), decided);
      const orderId = await place();
      await onTheWay;
      expect(await seen(orderId)).toBeNull();
      resolve();
      await payment.event('payment.paid', orderId);
      expect(await seen(orderId)).toMatchObject({ status: 'PAID' });
    });
  });

  test('every event is written as its example is', async () => {
    const cancelled = await paid();
    await cancel(cancelled);
    const declined = await place('tok_declined');
    for (const [type, orderId] of [
      ['payment.paid', cancelled],
      ['payment.cancelled', cancelled],
      ['payment.declined', declined],
    ] as const) {
      expect(contractOf(await payment.event(type, orderId))).toEqual(contractOf(readFixture(type)));
    }
  });

  describe('a cancel', () => {
    test('asks delivery, then gives the money back; asked again it answers the same', async () => {
      const orderId = await paid();
      for (let times = 0; times < 3; times += 1) expect(await cancel(orderId)).toEqual({ outcome: 'cancelled' });
      expect(payment.asked).toEqual([{ orderId, customerId: 'alice', reason: 'changed my mind' }]);
      expect(await books(orderId)).toEqual(returned);
      expect(await seen(orderId)).toMatchObject({ status: 'CANCELLED', cancelledAt: expect.any(String) });
      await payment.event('payment.cancelled', orderId);
      expect(told(orderId)).toEqual(['payment.paid', 'payment.cancelled']);
    });

    test('that overtakes its order leaves a marker: the late order is charged nothing', async () => {
      const orderId = crypto.randomUUID();
      expect(await cancel(orderId)).toEqual({ outcome: 'cancelled' });
      await place('tok_visa', orderId);
      await handled();
      expect(await books(orderId)).toEqual([]);
      expect(payment.asked).toEqual([]);
      expect(await seen(orderId)).toMatchObject({ status: 'CANCELLED', paidAt: null });
      await payment.event('payment.cancelled', orderId);
      expect(told(orderId)).toEqual(['payment.cancelled']);
    });

    test.each(['there', 'back'])('while the charge is on its way %s takes nothing in the end', async (way) => {
      const { promise: delivered, resolve } = Promise.withResolvers<void>();
      const { promise: onTheWay, resolve: started } = Promise.withResolvers<void>();
      const once = (): Promise<void> => {
        payment.wire.wayThere = payment.wire.wayBack = () => Promise.resolve();
        started();
        return delivered;
      };
      if (way === 'there') payment.wire.wayThere = once;
      else payment.wire.wayBack = once;
      const orderId = await place();
      await onTheWay;
      expect(await cancel(orderId)).toEqual({ outcome: 'cancelled' });
      resolve();
      await handled();
      expect(await books(orderId)).toEqual(way === 'there' ? barred : returned);
      expect(payment.asked).toEqual([]);
      expect(await seen(orderId)).toMatchObject({ status: 'CANCELLED' });
      await payment.event('payment.cancelled', orderId);
      expect(told(orderId)).toEqual(['payment.cancelled']);
    });

    test('of a declined payment is refused, as there is nothing to give back', async () => {
      const orderId = await place('tok_declined');
      await payment.event('payment.declined', orderId);
      const refusal = { outcome: 'refused', reason: 'The payment was declined, so nothing was charged.' };
      expect(await cancel(orderId)).toEqual(refusal);
      expect(await cancel(orderId)).toEqual(refusal);
      expect(payment.asked).toEqual([]);
      expect(await seen(orderId)).toMatchObject({ status: 'DECLINED' });
    });

    test('of delivered food is refused, and the payment stays', async () => {
      const orderId = await paid();
      payment.wire.delivery = () => Promise.resolve({ outcome: 'refused', reason: 'The food was delivered.' });
      for (let times = 0; times < 2; times += 1) {
        expect(await cancel(orderId)).toEqual({ outcome: 'refused', reason: 'The food was delivered.' });
        expect(await seen(orderId)).toMatchObject({ status: 'PAID', cancelledAt: null });
      }
      expect(await books(orderId)).toEqual(taken);
      expect(told(orderId)).toEqual(['payment.paid']);
    });

    test('that was refused once is refused for good: a late repeat moves nothing, also when delivery is silent then', async () => {
      const orderId = await paid();
      payment.wire.delivery = () => Promise.resolve({ outcome: 'refused', reason: 'The food was delivered.' });
      await cancel(orderId);
      payment.wire.delivery = () => new Promise(() => undefined);
      expect(await cancel(orderId)).toEqual({ outcome: 'refused', reason: 'The food was delivered.' });
      const [row] = await payment.database
        .read()
        .execute<{ state: string }[]>('select state from payment where order_id = ?', [orderId]);
      expect(row?.state).toBe('PAID');
    });

    const silences: [string, () => Promise<CancelReply>][] = [
      ['does not answer', () => new Promise(() => undefined)],
      ['fails', () => Promise.reject(new Error('broken'))],
      ['does not know yet', () => Promise.resolve({ outcome: 'pending' })],
    ];
    test.each(silences)(
      'is pending while delivery %s, and nothing is given back until it is known',
      async (_, silence) => {
        const orderId = await paid();
        payment.wire.delivery = silence;
        expect(await cancel(orderId)).toEqual({ outcome: 'pending' });
        expect(await books(orderId)).toEqual(taken);
        expect(await seen(orderId)).toMatchObject({ status: 'PAID' });
        payment.wire.delivery = () => Promise.resolve({ outcome: 'cancelled' });
        expect(await cancel(orderId)).toEqual({ outcome: 'cancelled' });
        expect(await books(orderId)).toEqual(returned);
      },
    );

    test.each(['there', 'back'])(
      'whose refund is lost on the way %s is asked again, and gives back once',
      async (way) => {
        const orderId = await paid();
        const lost = (): Promise<void> => {
          payment.wire.wayThere = payment.wire.wayBack = () => Promise.resolve();
          return Promise.reject(new CodedError('CARD_PROCESSOR_UNAVAILABLE'));
        };
        if (way === 'there') payment.wire.wayThere = lost;
        else payment.wire.wayBack = lost;
        await expect(cancel(orderId)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
        expect(await seen(orderId)).toMatchObject({ status: 'PAID' });
        expect(await cancel(orderId)).toEqual({ outcome: 'cancelled' });
        expect(await books(orderId)).toEqual(returned);
        await payment.event('payment.cancelled', orderId);
        expect(told(orderId)).toEqual(['payment.paid', 'payment.cancelled']);
      },
    );

    test('asked for five times at once gives back once', async () => {
      const orderId = await paid();
      const answers = await Promise.all(Array.from({ length: 5 }, () => cancel(orderId)));
      expect(answers).toEqual(Array.from({ length: 5 }, () => ({ outcome: 'cancelled' })));
      expect(await books(orderId)).toEqual(returned);
      await payment.event('payment.cancelled', orderId);
      expect(told(orderId)).toEqual(['payment.paid', 'payment.cancelled']);
    });

    test.each(['{', '{}', '{"orderId": 1}'])('that reads %s is refused and writes nothing', async (request) => {
      const before = await payment.count('payment', 'outbox');
      const reply = await (await payment.broker.connection).request('payment.cancel', request, { timeout: 2_000 });
      expect(reply.headers?.get('Nats-Service-Error')).toBe('MESSAGE_INVALID');
      expect(await payment.count('payment', 'outbox')).toEqual(before);
    });
  });

  describe('a payment', () => {
    const byId = 'query ($id: ID!) { payment(id: $id) { id status } }';
    const entity =
      'query ($id: ID!) { _entities(representations: [{ __typename: "Payment", id: $id }]) { ... on Payment { id status } } }';
    let orderId: string;
    let id: unknown;
    beforeAll(async () => {
      orderId = await paid();
      id = (await seen(orderId))?.['id'];
    });
    const ask = (query: string, as: string | undefined): Promise<Answer> =>
      payment.ask(query, { variables: { id }, as });

    test.each(['alice', 'payments:read', 'orders:read:all'])('is shown to %s', async (who) => {
      const as = who === 'alice' ? alice : await payment.bearer('carol', who);
      expect((await ask(byId, as)).data).toEqual({ payment: { id, status: 'PAID' } });
      expect((await ask(entity, as)).data).toEqual({ _entities: [{ id, status: 'PAID' }] });
      expect(await seen(orderId, as)).toMatchObject({ id, status: 'PAID' });
    });

    test('reveals nothing to others: it is answered like one that does not exist', async () => {
      const bob = await payment.bearer('bob', 'deliveries:read menus:write');
      expect(await ask(byId, bob)).toMatchObject({
        data: { payment: null },
        errors: [{ path: ['payment'], extensions: { code: 'NOT_FOUND' } }],
      });
      expect(await ask(byId, bob)).toEqual(
        await payment.ask(byId, { variables: { id: crypto.randomUUID() }, as: bob }),
      );
      expect(await ask(entity, bob)).toMatchObject({
        data: { _entities: [null] },
        errors: [{ extensions: { code: 'NOT_FOUND' } }],
      });
      expect(await ofOrder(orderId, bob)).toEqual({ status: 200, data: { _entities: [{ payment: null }] } });
    });

    test('reveals nothing without a token, or with one that does not hold', async () => {
      for (const [query, data] of [
        [byId, { payment: null }],
        [entity, { _entities: [null] }],
      ] as const) {
        expect(await ask(query, undefined)).toMatchObject({
          data,
          errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
        });
        expect(await ask(query, 'Bearer forged')).toEqual({
          status: 401,
          errors: [{ message: expect.any(String), extensions: { code: 'UNAUTHENTICATED' } }],
        });
      }
      expect(await ofOrder(orderId, undefined)).toMatchObject({
        data: { _entities: [{ payment: null }] },
        errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
      });
    });

    test.each(['x', '', '1'])('with the id "%s" is bad input, also as an entity', async (bad) => {
      for (const query of [byId, entity]) {
        const { errors } = await payment.ask(query, { variables: { id: bad }, as: alice });
        expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'id' } }]);
      }
      expect((await ofOrder(bad, alice)).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    });

    test.each([[{ $ne: null }], [['x']], [5], [null]])('of an order whose id is %j is bad input', async (bad) => {
      const query = 'query ($some: [_Any!]!) { _entities(representations: $some) { ... on Order { payment { id } } } }';
      const { errors } = await payment.ask(query, {
        variables: { some: [{ __typename: 'Order', id: bad }] },
        as: alice,
      });
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    });

    describe('is read in one query', () => {
      const query =
        'query ($some: [_Any!]!) { _entities(representations: $some) { ... on Order { payment { id } } ... on Payment { id } } }';
      const variablesOf = (...orderIds: string[]) => ({ some: orderIds.map((id) => ({ __typename: 'Order', id })) });
      const selects = () => payment.statements.filter(({ sql }) => /^select .* from .payment. .* in \(/.test(sql));

      test('with many others', async () => {
        const orders = [orderId, ...(await Promise.all(Array.from({ length: 9 }, () => paid())))];
        payment.statements.length = 0;
        const { data } = await payment.ask(query, { variables: variablesOf(...orders), as: alice });
        expect(selects()).toHaveLength(1);
        const ids = (data as { _entities: { payment: { id: string } }[] })._entities.map((each) => each.payment);
        expect(new Set(ids.map((each) => each.id)).size).toBe(10);
        const variables = { some: ids.map((each) => ({ __typename: 'Payment', ...each })) };
        expect((await payment.ask(query, { variables, as: alice })).data).toEqual({ _entities: ids });
        expect(selects()).toHaveLength(2);
      });

      test('for all viewers of a request, and shown to its own', async () => {
        const questions = [alice, await payment.bearer('bob')].map((as) => ({ variables: variablesOf(orderId), as }));
        payment.statements.length = 0;
        const [hers, his] = await payment.askTogether(query, questions);
        expect(hers).toEqual({ data: { _entities: [{ payment: { id } }] } });
        expect(his).toEqual({ data: { _entities: [{ payment: null }] } });
        expect(selects()).toHaveLength(1);
      });
    });
  });
});
