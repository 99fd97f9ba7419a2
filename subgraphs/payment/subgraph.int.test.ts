// The payment subgraph over each database engine: charges once, declines, refunds, and keeps its word whatever overtakes what.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { databaseEngines } from '../../dev/database-servers.ts';
import type { DatabaseServer } from '../../dev/database-servers.ts';
import { placedOrder, startTestPayment } from '../../dev/payment-testing.ts';
import type { TestPayment } from '../../dev/payment-testing.ts';
import { startInfrastructure } from '../../dev/testing.ts';
import type { Infrastructure } from '../../dev/testing.ts';
import { openDatabase } from '../../service/database.ts';
import { OutboxMessage } from '../../service/outbox.ts';
import { migrations } from './migrations/index.ts';
import { PaymentRow } from './persistence.ts';
import { SandboxCharge } from './sandbox-processor.ts';

describe.each(databaseEngines())('payment on $name', (engine) => {
  let infrastructure: Infrastructure;
  let server: DatabaseServer;
  let payment: TestPayment;

  beforeAll(async () => {
    infrastructure = await startInfrastructure();
    server = await engine.start(join(infrastructure.folder, 'databases'), ['payment', 'empty']);
    payment = await startTestPayment(infrastructure, server.url('payment'));
  });
  afterAll(async () => {
    await payment.close();
    await server.close();
    await infrastructure.close();
  });

  const row = (orderId: string): Promise<PaymentRow> => payment.database.read().findOneOrFail(PaymentRow, { orderId });
  /** Minor units that the processor holds for an order. */
  const kept = async (orderId: string): Promise<number> => {
    const charges = await payment.database.read().find(SandboxCharge, { orderId });
    return charges.reduce((sum, { charged, refunded }) => sum + charged - refunded, 0);
  };
  const types = (orderId: string): string[] => payment.published(orderId).map(({ type }) => type);

  test('the migrations run side by side, and once', async () => {
    const open = () =>
      openDatabase({ url: server.url('empty'), poolSize: 2, entities: [PaymentRow], migrations, forMigration: true });
    const databases = await Promise.all([open(), open(), open()]);
    await Promise.all(databases.map((database) => database.migrate()));
    await Promise.all(databases.map((database) => database.check()));
    await Promise.all(databases.map((database) => database.close()));
  });

  test('takes the payment of an order and says so', async () => {
    const orderId = randomUUID();
    await payment.publish('order.placed', placedOrder(orderId));
    const { payload } = await payment.event('payment.paid', orderId);
    const { id, state, paidAt, amount, deliveryAddress } = await row(orderId);
    expect({ state, amount, deliveryAddress }).toEqual({
      state: 'PAID',
      amount: 9_000,
      deliveryAddress: '서울시 종로구 1',
    });
    expect(payload).toMatchObject({ paymentId: id, orderId, customerId: 'alice', paidAt: paidAt?.toISOString() });
    expect(await kept(orderId)).toBe(9_000);

    const { data, errors } = await payment.ask('query ($id: ID!) { payment(id: $id) { status paidAt order { id } } }', {
      as: await payment.bearer('alice'),
      variables: { id },
    });
    expect(errors).toBeUndefined();
    expect(data).toEqual({ payment: { status: 'PAID', paidAt: paidAt?.toISOString(), order: { id: orderId } } });
  });

  test('charges once, however often and however many at once the order is delivered', async () => {
    const orderId = randomUUID();
    await Promise.all(Array.from({ length: 8 }, () => payment.publish('order.placed', placedOrder(orderId))));
    await payment.handled('ORDER', 'payment-order');
    expect(await kept(orderId)).toBe(9_000);
    expect(types(orderId).filter((type) => type.startsWith('payment.'))).toEqual(['payment.paid']);
  });

  test('a decline rejects with its reason', async () => {
    const orderId = randomUUID();
    await payment.publish('order.placed', placedOrder(orderId, { paymentToken: 'tok_declined' }));
    expect((await payment.event('payment.declined', orderId)).payload).toMatchObject({ reason: 'card_declined' });
    expect(await kept(orderId)).toBe(0);
    expect(await payment.cancel(orderId)).toMatchObject({ outcome: 'refused' });
  });

  test('a cancel returns the money, and is the same however often and however many at once it is asked', async () => {
    const orderId = randomUUID();
    await payment.publish('order.placed', placedOrder(orderId));
    await payment.event('payment.paid', orderId);
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => payment.cancel(orderId, 'changed my mind').catch(String)),
    );
    expect(answers.filter((answer) => typeof answer === 'object')).not.toEqual([]);
    expect(await payment.cancel(orderId)).toEqual({ outcome: 'cancelled' });
    await payment.event('payment.cancelled', orderId);
    expect(await kept(orderId)).toBe(0);
    expect(types(orderId).filter((type) => type === 'payment.cancelled')).toHaveLength(1);
  });

  test('a cancel that delivery refuses keeps the money', async () => {
    const orderId = randomUUID();
    await payment.publish('order.placed', placedOrder(orderId));
    await payment.event('payment.paid', orderId);
    payment.delivery.answer = { outcome: 'refused', reason: 'delivered' };
    expect(await payment.cancel(orderId)).toEqual({ outcome: 'refused', reason: 'delivered' });
    payment.delivery.answer = { outcome: 'cancelled' };
    expect((await row(orderId)).state).toBe('PAID');
    expect(await kept(orderId)).toBe(9_000);
  });

  test('a cancel that overtakes its order leaves a marker, and the late order is never charged', async () => {
    const orderId = randomUUID();
    expect(await payment.cancel(orderId)).toEqual({ outcome: 'cancelled' });
    await payment.publish('order.placed', placedOrder(orderId));
    await payment.handled('ORDER', 'payment-order');
    expect((await row(orderId)).state).toBe('CANCELLED');
    expect(await kept(orderId)).toBe(0);
    expect(types(orderId).filter((type) => type.startsWith('payment.'))).toEqual(['payment.cancelled']);
  });

  test('orders and cancels that race come to one end each, and the books balance', async () => {
    const orderIds = Array.from({ length: 40 }, () => randomUUID());
    await Promise.all(
      orderIds.flatMap((orderId, index) => [
        payment.publish(
          'order.placed',
          placedOrder(orderId, index % 5 === 0 ? { paymentToken: 'tok_lost_reply' } : {}),
        ),
        ...(index % 2 === 0 ? [payment.cancel(orderId).catch(() => undefined)] : []),
      ]),
    );
    for (const orderId of orderIds.filter((_, index) => index % 2 === 0)) {
      expect(await payment.cancel(orderId)).toEqual({ outcome: 'cancelled' });
    }
    await payment.handled('ORDER', 'payment-order');
    for (const [index, orderId] of orderIds.entries()) {
      await payment.event(index % 2 === 0 ? 'payment.cancelled' : 'payment.paid', orderId);
      expect(await kept(orderId)).toBe(index % 2 === 0 ? 0 : 9_000);
      const told = payment.published(orderId).map(({ headers }) => Number(headers['ce-aggregateversion'] ?? 0));
      expect(told).toEqual(told.toSorted((a, b) => a - b));
    }
  });

  test('ids are told apart byte for byte, and texts and times come back as they were', async () => {
    const plain = `Case-${randomUUID()}`;
    const alike = [plain, plain.toLowerCase(), `${plain}=20`];
    for (const orderId of alike)
      await payment.publish('order.placed', placedOrder(orderId, { deliveryAddress: `🛵 ${orderId} é ` }));
    for (const orderId of alike) {
      await payment.event('payment.paid', orderId);
      expect((await row(orderId)).deliveryAddress).toBe(`🛵 ${orderId} é `);
    }
    const [message] = await payment.database.read().find(OutboxMessage, { aggregateId: plain });
    expect(message?.headers).toMatchObject({ 'ce-type': 'payment.paid' });
    expect(Math.abs(Date.now() - (message?.createdAt.getTime() ?? 0))).toBeLessThan(60_000);
  });
});
