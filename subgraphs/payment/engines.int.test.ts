// What payment asks of a database of any engine: migrations side by side, books that balance under races, texts and times as they were.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { readFixture } from '../../dev/contracts.ts';
import { databaseEngines } from '../../dev/database-servers.ts';
import type { DatabaseServer } from '../../dev/database-servers.ts';
import { startTestPayment } from '../../dev/payment-testing.ts';
import type { TestPayment } from '../../dev/payment-testing.ts';
import { startInfrastructure } from '../../dev/testing.ts';
import type { Infrastructure } from '../../dev/testing.ts';
import type { CancelReply, EventData } from '../../schema/events.ts';
import { openDatabase } from '../../service/database.ts';
import { requestCommand } from '../../service/nats.ts';
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

  const example = readFixture('order.placed').payload;
  const place = (orderId: string, more: Partial<EventData<'order.placed'>> = {}): Promise<string> =>
    payment.publish('order.placed', { ...example, ...more, orderId });
  const cancel = (orderId: string): Promise<CancelReply> => {
    const request = { orderId, customerId: example.customerId, amount: example.total, reason: null };
    return requestCommand(payment.broker, 'payment.cancel', request, 5_000);
  };
  /** Minor units that the processor holds for an order. */
  const kept = async (orderId: string): Promise<number> => {
    const charges = await payment.database.read().find(SandboxCharge, { orderId });
    return charges.reduce((sum, { charged, refunded }) => sum + charged - refunded, 0);
  };

  test('the migrations run side by side, and once', async () => {
    const open = () =>
      openDatabase({ url: server.url('empty'), poolSize: 2, entities: [PaymentRow], migrations, forMigration: true });
    const databases = await Promise.all([open(), open(), open()]);
    await Promise.all(databases.map((database) => database.migrate()));
    await Promise.all(databases.map((database) => database.check()));
    await Promise.all(databases.map((database) => database.close()));
  });

  test('orders and cancels that race come to one end each, and the books balance', async () => {
    const orderIds = Array.from({ length: 40 }, () => randomUUID());
    await Promise.all(
      orderIds.flatMap((orderId, index) => [
        place(orderId, index % 5 === 0 ? { paymentToken: 'tok_lost_reply' } : {}),
        ...(index % 2 === 0 ? [cancel(orderId).catch(() => undefined)] : []),
      ]),
    );
    for (const orderId of orderIds.filter((_, index) => index % 2 === 0)) {
      expect(await cancel(orderId)).toEqual({ outcome: 'cancelled' });
    }
    await payment.handled('ORDER', 'payment-order');
    for (const [index, orderId] of orderIds.entries()) {
      await payment.event(index % 2 === 0 ? 'payment.cancelled' : 'payment.paid', orderId);
      expect(await kept(orderId)).toBe(index % 2 === 0 ? 0 : example.total.amount);
      const own = payment.published(orderId).filter(({ type }) => type.startsWith('payment.'));
      const told = own.map(({ headers }) => Number(headers['ce-aggregateversion']));
      expect(told).toEqual(told.toSorted((a, b) => a - b));
    }
  });

  test('ids are told apart byte for byte, and texts and times come back as they were', async () => {
    const plain = `Case-${randomUUID()}`;
    const alike = [plain, plain.toLowerCase(), `${plain}=20`];
    for (const orderId of alike) await place(orderId, { deliveryAddress: `🛵 ${orderId} é ` });
    for (const orderId of alike) {
      await payment.event('payment.paid', orderId);
      const { deliveryAddress } = await payment.database.read().findOneOrFail(PaymentRow, { orderId });
      expect(deliveryAddress).toBe(`🛵 ${orderId} é `);
    }
    const [message] = await payment.database.read().find(OutboxMessage, { aggregateId: plain });
    expect(message?.headers).toMatchObject({ 'ce-type': 'payment.paid' });
    expect(Math.abs(Date.now() - (message?.createdAt.getTime() ?? 0))).toBeLessThan(60_000);
  });
});
