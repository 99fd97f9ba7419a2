// The order subgraph's rows and the queries over them.
import { defineEntity, p } from '@mikro-orm/core';
import type { InferEntity, RequiredEntityData } from '@mikro-orm/core';
import { deliveryStatuses, orderStatuses, paymentStatuses } from '../../schema/events.ts';
import type { OrderStatus } from '../../schema/events.ts';
import { forUpdate } from '../../service/database.ts';
import type { EntityManager } from '../../service/database.ts';
import { loadTogether } from '../../service/load-together.ts';
import { insertRow, lockRows, readRows } from '../../service/database-rows.ts';
import type { OrderedItem, PricedMenu } from './menu.ts';

export const MenuRow = defineEntity({
  name: 'MenuRow',
  tableName: 'menu',
  properties: {
    id: p.uuid().primary(),
    name: p.string().length(100),
    price: p.integer(),
    currency: p.string().length(3),
    available: p.boolean(),
    createdAt: p.datetime(3),
  },
});
export type MenuRow = InferEntity<typeof MenuRow>;

/** One entry of an order's timeline. */
export interface TimelineEntry {
  readonly status: OrderStatus;
  readonly version: number;
  /** RFC 3339. */
  readonly at: string;
  readonly reason: string | null;
}

/** Items and timeline are written and read with their order and never searched: JSON in its row, not tables of their own. */
export const OrderRow = defineEntity({
  name: 'OrderRow',
  tableName: 'customer_order',
  properties: {
    /** UUIDv7: ids rise with time, so they are also the order of the list. */
    id: p.uuid().primary(),
    customerId: p.string().length(200),
    idempotencyKey: p.string().length(100).strictNullable(),
    items: p.json<readonly OrderedItem[]>(),
    total: p.integer(),
    currency: p.string().length(3),
    deliveryAddress: p.string().length(200).strictNullable(),
    paymentToken: p.string().length(200).strictNullable(),
    status: p.enum([...orderStatuses]),
    version: p.integer(),
    statusReason: p.text().strictNullable(),
    paymentStatus: p.enum([...paymentStatuses]).strictNullable(),
    declineReason: p.text().strictNullable(),
    deliveryId: p.uuid().strictNullable(),
    deliveryStatus: p.enum([...deliveryStatuses]).strictNullable(),
    cancelFrom: p.enum([...orderStatuses]).strictNullable(),
    cancelRefusal: p.text().strictNullable(),
    /** When the order is driven on if it has not moved by itself (see driver.ts), and how often that was done in this status. */
    driveDueAt: p.datetime(3).strictNullable(),
    driveAttempts: p.integer(),
    timeline: p.json<readonly TimelineEntry[]>(),
    placedAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});
export type OrderRow = InferEntity<typeof OrderRow>;

export const entities = [MenuRow, OrderRow];

export const insertOrder = (em: EntityManager, data: RequiredEntityData<OrderRow>): OrderRow =>
  insertRow(em, OrderRow, data);

export const findOrder = (em: EntityManager, id: string): Promise<OrderRow | null> => em.findOne(OrderRow, { id });

/** The order, locked until the transaction ends, so that events about it take their turns. */
export const lockOrder = (em: EntityManager, id: string): Promise<OrderRow | null> => loadTogether(em, lockOrders, id);

const lockOrders = async (em: EntityManager, ids: readonly string[]): Promise<Map<string, OrderRow>> => {
  const rows = await lockRows(em, OrderRow, 'id', ids);
  return new Map(rows.map((row) => [row.id, row]));
};

export const findOrderByKey = (
  em: EntityManager,
  customerId: string,
  idempotencyKey: string,
): Promise<OrderRow | null> => em.findOne(OrderRow, { customerId, idempotencyKey });

export const findOrders = (em: EntityManager, ids: readonly string[]): Promise<OrderRow[]> =>
  em.find(OrderRow, { id: { $in: [...ids] } });

export interface OrderFilter {
  readonly customerId?: string | null;
  readonly status?: OrderStatus | null;
}

const matching = ({ customerId, status }: OrderFilter) => ({
  ...((customerId ?? null) === null ? {} : { customerId }),
  ...((status ?? null) === null ? {} : { status }),
});

/** Newest first, behind the order `beforeId`. */
export const listOrders = (
  em: EntityManager,
  filter: OrderFilter,
  beforeId: string | undefined,
  limit: number,
): Promise<OrderRow[]> =>
  em.find(
    OrderRow,
    { ...matching(filter), ...(beforeId === undefined ? {} : { id: { $lt: beforeId } }) },
    { orderBy: { id: 'desc' }, limit },
  );

export const countOrders = (em: EntityManager, filter: OrderFilter): Promise<number> =>
  em.count(OrderRow, matching(filter));

/** Orders that are due to be driven on, longest due first. */
export const listDueOrders = (em: EntityManager, now: Date, limit: number): Promise<Pick<OrderRow, 'id'>[]> =>
  em.find(OrderRow, { driveDueAt: { $lte: now } }, { orderBy: { driveDueAt: 'asc' }, limit, fields: ['id'] });

/** Takes a turn at driving an order and sets when the next one is due; false when another instance was faster or it has moved. */
export const claimDrive = async (
  em: EntityManager,
  { id, version, driveAttempts }: Pick<OrderRow, 'id' | 'version' | 'driveAttempts'>,
  nextDueAt: Date,
): Promise<boolean> =>
  (await em.nativeUpdate(
    OrderRow,
    { id, version, driveAttempts },
    { driveAttempts: driveAttempts + 1, driveDueAt: nextDueAt },
  )) === 1;

/** Orders that were driven on at least `attempts` times in their present status. */
export const countStuckOrders = (em: EntityManager, attempts: number): Promise<number> =>
  em.count(OrderRow, { driveDueAt: { $ne: null }, driveAttempts: { $gte: attempts } });

/** The oldest of the orders that shall move on without anyone doing anything. */
export const findOldestMovingOrder = async (
  em: EntityManager,
): Promise<Pick<OrderRow, 'id' | 'updatedAt'> | undefined> => {
  // One status at a time, as the index is by status and id, and ids rise with time.
  const oldest = await Promise.all(
    (['ORDERED', 'PAID', 'CANCELLING'] as const).map((status) =>
      em.fork().find(OrderRow, { status }, { orderBy: { id: 'asc' }, limit: 1, fields: ['id', 'updatedAt'] }),
    ),
  );
  return oldest.flat().toSorted((a, b) => (a.id < b.id ? -1 : 1))[0];
};

export const findMenu = (em: EntityManager, id: string): Promise<MenuRow | null> => em.findOne(MenuRow, { id });

export const findMenus = (em: EntityManager, ids: readonly string[]): Promise<MenuRow[]> =>
  em.find(MenuRow, { id: { $in: [...ids] } });

/** The menus of an order as they are now; the order keeps these names and prices, whatever becomes of the menus. */
export const priceList = async (em: EntityManager, ids: readonly string[]): Promise<Map<string, PricedMenu>> => {
  const menus = await Promise.all(ids.map((id) => loadTogether(em, readMenus, id)));
  return new Map(menus.flatMap((menu) => (menu === null ? [] : [[menu.id, menu] as const])));
};

const readMenus = async (em: EntityManager, ids: readonly string[]): Promise<Map<string, MenuRow>> =>
  new Map((await readRows(em, MenuRow, 'id', ids)).map((menu) => [menu.id, menu]));

export const lockMenu = (em: EntityManager, id: string): Promise<MenuRow | null> =>
  em.findOne(MenuRow, { id }, forUpdate);

export const insertMenu = (em: EntityManager, data: RequiredEntityData<MenuRow>): MenuRow =>
  em.create(MenuRow, data, { persist: true });

/** By name, behind the menu `after`. The first condition is the one that the index can begin at; an `or` alone reads from its start. */
export const listMenus = (
  em: EntityManager,
  after: { readonly name: string; readonly id: string } | undefined,
  limit: number,
): Promise<MenuRow[]> =>
  em.find(
    MenuRow,
    after === undefined
      ? {}
      : { name: { $gte: after.name }, $or: [{ name: { $gt: after.name } }, { id: { $gt: after.id } }] },
    { orderBy: { name: 'asc', id: 'asc' }, limit },
  );

export const countMenus = (em: EntityManager): Promise<number> => em.count(MenuRow);
