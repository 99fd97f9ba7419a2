// The payment subgraph's rows and the queries over them.
import { defineEntity, p } from '@mikro-orm/core';
import type { InferEntity, RequiredEntityData } from '@mikro-orm/core';
import type { EntityManager } from '../../service/database.ts';
import { loadTogether } from '../../service/load-together.ts';
import { insertNewRows, insertRow, lockRows } from '../../service/database-rows.ts';

export const PaymentRow = defineEntity({
  name: 'PaymentRow',
  tableName: 'payment',
  properties: {
    /** Also the key under which the card processor knows the charge. */
    id: p.uuid().primary(),
    orderId: p.string().length(100).unique(),
    customerId: p.string().length(200),
    state: p.enum(['CHARGING', 'PAID', 'DECLINED', 'CANCELLING', 'CANCELLED']),
    version: p.integer(),
    cancelFrom: p.enum(['CHARGING', 'PAID']).strictNullable(),
    amount: p.integer(),
    currency: p.string().length(3),
    paymentToken: p.string().length(200).strictNullable(),
    deliveryAddress: p.string().length(200).strictNullable(),
    declineReason: p.text().strictNullable(),
    refusal: p.text().strictNullable(),
    createdAt: p.datetime(3),
    paidAt: p.datetime(3).strictNullable(),
    cancelledAt: p.datetime(3).strictNullable(),
  },
});
export type PaymentRow = InferEntity<typeof PaymentRow>;

export const insertPayment = (em: EntityManager, data: RequiredEntityData<PaymentRow>): PaymentRow =>
  insertRow(em, PaymentRow, data);

/** Stores a payment unless its order has one, in a transaction of its own; gives whether it was stored. */
export async function insertFirstPayment(em: EntityManager, data: RequiredEntityData<PaymentRow>): Promise<boolean> {
  return (await insertNewRows(em, PaymentRow, [data], ['orderId'])) === 1;
}

export const findPaymentOfOrder = (em: EntityManager, orderId: string): Promise<PaymentRow | null> =>
  em.findOne(PaymentRow, { orderId });

/** The payment of an order, locked until the transaction ends. */
export const lockPaymentOfOrder = (em: EntityManager, orderId: string): Promise<PaymentRow | null> =>
  loadTogether(em, lockPaymentsOfOrders, orderId);

const lockPaymentsOfOrders = async (em: EntityManager, ids: readonly string[]): Promise<Map<string, PaymentRow>> => {
  const rows = await lockRows(em, PaymentRow, 'orderId', ids);
  return new Map(rows.map((row) => [row.orderId, row]));
};

export const findPayments = (em: EntityManager, ids: readonly string[]): Promise<PaymentRow[]> =>
  em.find(PaymentRow, { id: { $in: [...ids] } });

export const findPaymentsOfOrders = (em: EntityManager, orderIds: readonly string[]): Promise<PaymentRow[]> =>
  em.find(PaymentRow, { orderId: { $in: [...orderIds] } });
