// The delivery subgraph's rows and the queries over them.
import { defineEntity, p } from '@mikro-orm/core';
import type { InferEntity, RequiredEntityData } from '@mikro-orm/core';
import { deliveryStatuses } from '../../schema/events.ts';
import type { DeliveryStatus } from '../../schema/events.ts';
import { forUpdate } from '../../service/database.ts';
import type { EntityManager } from '../../service/database.ts';
import { loadTogether } from '../../service/load-together.ts';
import { insertRow, lockRows } from '../../service/database-rows.ts';

export const DeliveryRow = defineEntity({
  name: 'DeliveryRow',
  tableName: 'delivery',
  properties: {
    /** UUIDv7: ids rise with time, so they are also the order of the list. */
    id: p.uuid().primary(),
    orderId: p.string().length(100).unique(),
    customerId: p.string().length(200),
    status: p.enum([...deliveryStatuses]),
    version: p.integer(),
    address: p.string().length(200).strictNullable(),
    startedAt: p.datetime(3).strictNullable(),
    completedAt: p.datetime(3).strictNullable(),
    cancelledAt: p.datetime(3).strictNullable(),
  },
});
export type DeliveryRow = InferEntity<typeof DeliveryRow>;

export const insertDelivery = (em: EntityManager, data: RequiredEntityData<DeliveryRow>): DeliveryRow =>
  insertRow(em, DeliveryRow, data);

/** The delivery, locked until the transaction ends. */
export const lockDelivery = (em: EntityManager, id: string): Promise<DeliveryRow | null> =>
  em.findOne(DeliveryRow, { id }, forUpdate);

/** The delivery of an order, locked until the transaction ends. */
export const lockDeliveryOfOrder = (em: EntityManager, orderId: string): Promise<DeliveryRow | null> =>
  loadTogether(em, lockDeliveriesOfOrders, orderId);

const lockDeliveriesOfOrders = async (em: EntityManager, ids: readonly string[]): Promise<Map<string, DeliveryRow>> => {
  const rows = await lockRows(em, DeliveryRow, 'orderId', ids);
  return new Map(rows.map((row) => [row.orderId, row]));
};

export const findDeliveries = (em: EntityManager, ids: readonly string[]): Promise<DeliveryRow[]> =>
  em.find(DeliveryRow, { id: { $in: [...ids] } });

export const findDeliveriesOfOrders = (em: EntityManager, orderIds: readonly string[]): Promise<DeliveryRow[]> =>
  em.find(DeliveryRow, { orderId: { $in: [...orderIds] } });

const matching = (status: DeliveryStatus | null) => (status === null ? {} : { status });

/** Newest first, behind the delivery `beforeId`. */
export const listDeliveries = (
  em: EntityManager,
  status: DeliveryStatus | null,
  beforeId: string | undefined,
  limit: number,
): Promise<DeliveryRow[]> =>
  em.find(
    DeliveryRow,
    { ...matching(status), ...(beforeId === undefined ? {} : { id: { $lt: beforeId } }) },
    { orderBy: { id: 'desc' }, limit },
  );

export const countDeliveries = (em: EntityManager, status: DeliveryStatus | null): Promise<number> =>
  em.count(DeliveryRow, matching(status));
