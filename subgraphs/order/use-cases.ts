// What can be done with orders and menus: one transaction each; remote calls are made between transactions, never inside one.
import { UniqueConstraintViolationException } from '@mikro-orm/core';
import { v7 as uuid } from 'uuid';
import type { OrderStatus } from '../../schema/events.ts';
import type { InboxMessage } from '../../service/database-transactions.ts';
import type { Database, EntityManager } from '../../service/database.ts';
import { CodedError } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import { stageEvent } from '../../service/outbox.ts';
import { priceItems } from './menu.ts';
import type { RequestedItem } from './menu.ts';
import { decide, newOrder } from './order.ts';
import type { OrderEvent, StatusChange } from './order.ts';
import { findOrderByKey, insertMenu, insertOrder, lockMenu, lockOrder, priceList } from './persistence.ts';
import type { MenuRow, OrderRow } from './persistence.ts';

export interface OrderDependencies {
  readonly database: Database;
  readonly now: () => Date;
  /** The status that a new order starts in. */
  readonly initialStatus: 'ORDERED' | 'ON_HOLD';
  /** ISO 4217: the one currency of the shop. */
  readonly currency: string;
  /** Milliseconds that an order may wait for payment or delivery before it is driven on. */
  readonly stuckAfterMs: number;
}

export interface PlaceOrder {
  readonly items: readonly RequestedItem[];
  readonly deliveryAddress: string | null;
  readonly paymentToken: string | null;
  readonly idempotencyKey: string | null;
}

/** How long the request that asked for a cancel has payment to itself before the background takes over. */
const firstCancelDueMs = 3_000;

/**
 * Stores an order and the event that starts its payment. With an idempotency key that the customer has used before, gives that
 * order instead. Errors: MENU_NOT_FOUND, MENU_UNAVAILABLE, AMOUNT_TOO_LARGE.
 */
export async function placeOrder(deps: OrderDependencies, customer: Viewer, input: PlaceOrder): Promise<OrderRow> {
  const { idempotencyKey } = input;
  try {
    return await deps.database.sharedTransaction('placeOrder', (em) => storeOrder(deps, em, customer, input));
  } catch (error) {
    // Keys are hardly ever used twice, so the unique index finds those that are; a menu of then may be sold no more.
    const known = error instanceof UniqueConstraintViolationException || error instanceof CodedError;
    if (!known || idempotencyKey === null) throw error;
    const placed = await findOrderByKey(deps.database.read(), customer.sub, idempotencyKey);
    if (placed === null) throw error;
    return placed;
  }
}

async function storeOrder(
  deps: OrderDependencies,
  em: EntityManager,
  customer: Viewer,
  input: PlaceOrder,
): Promise<OrderRow> {
  const menus = await priceList(
    em,
    input.items.map(({ menuId }) => menuId),
  );
  const pricing = priceItems(input.items, menus);
  if (pricing.outcome === 'rejected') {
    const argument = 'index' in pricing ? `input.items.${String(pricing.index)}.menuId` : 'input.items';
    throw new CodedError(pricing.code, undefined, { argument });
  }
  const now = deps.now();
  const { state, changes } = newOrder(deps.initialStatus);
  const order = insertOrder(em, {
    ...state,
    id: uuid(),
    customerId: customer.sub,
    idempotencyKey: input.idempotencyKey,
    items: pricing.items,
    total: pricing.total,
    currency: deps.currency,
    deliveryAddress: input.deliveryAddress,
    paymentToken: input.paymentToken,
    driveDueAt: null,
    driveAttempts: 0,
    timeline: [],
    placedAt: now,
    updatedAt: now,
  });
  recordChanges(deps, em, order, changes);
  return order;
}

/** Sends an order that is ON_HOLD on to payment. Errors: NOT_FOUND, ORDER_NOT_ON_HOLD. */
export const releaseOrder = (deps: OrderDependencies, orderId: string): Promise<OrderRow> =>
  deps.database.transaction(async (em) => {
    const order = await lockOrder(em, orderId);
    if (order === null) throw new CodedError('NOT_FOUND');
    const decision = decide(order, { type: 'released' });
    if (decision.outcome === 'rejected') throw new CodedError('ORDER_NOT_ON_HOLD', decision.reason);
    applyDecision(deps, em, order, decision);
    return order;
  });

/**
 * Stores the customer's wish to cancel (CANCELLING); payment is asked afterwards. Asking twice is the same as once.
 * Errors: NOT_FOUND (also for someone else's order), ORDER_NOT_CANCELLABLE.
 */
export const requestCancel = (
  deps: OrderDependencies,
  customer: Viewer,
  orderId: string,
  reason: string | null,
): Promise<OrderRow> =>
  deps.database.transaction(async (em) => {
    const order = await lockOrder(em, orderId);
    if (order?.customerId !== customer.sub) throw new CodedError('NOT_FOUND');
    const decision = decide(order, { type: 'cancelRequested', reason });
    if (decision.outcome === 'rejected') throw new CodedError('ORDER_NOT_CANCELLABLE', decision.reason);
    applyDecision(deps, em, order, decision);
    return order;
  });

/**
 * Lets a fact of payment or delivery, or payment's answer to a cancel, take effect on its order.
 * Errors: MESSAGE_INVALID when the order does not exist or the fact contradicts what is known: the message is parked.
 */
export async function noteFact(
  deps: OrderDependencies,
  orderId: string,
  event: OrderEvent,
  inbox?: InboxMessage,
): Promise<void> {
  const work = async (em: EntityManager): Promise<void> => {
    const order = await lockOrder(em, orderId);
    if (order === null) throw new CodedError('MESSAGE_INVALID', `There is no order ${orderId}.`);
    const decision = decide(order, event);
    if (decision.outcome === 'rejected') throw new CodedError('MESSAGE_INVALID', decision.reason);
    applyDecision(deps, em, order, decision);
  };
  await (inbox === undefined ? deps.database.transaction(work) : deps.database.transaction(work, inbox));
}

/** Creates a menu, or changes the one with this id. Errors: NOT_FOUND, BAD_USER_INPUT for another currency than the shop's. */
export async function saveMenu(
  deps: OrderDependencies,
  input: { id: string | null; name: string; price: { amount: number; currency: string }; available: boolean },
): Promise<MenuRow> {
  const { id, name, price, available } = input;
  if (price.currency !== deps.currency) {
    throw new CodedError('BAD_USER_INPUT', `This shop sells in ${deps.currency}.`, {
      argument: 'input.price.currency',
    });
  }
  return deps.database.transaction(async (em) => {
    const values = { name, price: price.amount, currency: price.currency, available };
    if (id === null) return insertMenu(em, { id: uuid(), ...values, createdAt: deps.now() });
    const menu = await lockMenu(em, id);
    if (menu === null) throw new CodedError('NOT_FOUND', 'There is no menu with this id.', { argument: 'input.id' });
    return Object.assign(menu, values);
  });
}

/**
 * Sends `order.placed` once more, for an order that has not moved. Each service that has done its part already announces it again,
 * so this one message drives the whole chain on, wherever it broke. Does nothing when the order has moved meanwhile.
 */
export const resendOrder = (deps: OrderDependencies, orderId: string): Promise<boolean> =>
  deps.database.transaction(async (em) => {
    const order = await lockOrder(em, orderId);
    if (order?.status !== 'ORDERED' && order?.status !== 'PAID') return false;
    announcePlaced(em, order, deps.now());
    return true;
  });

function applyDecision(
  deps: OrderDependencies,
  em: EntityManager,
  order: OrderRow,
  decision: Exclude<ReturnType<typeof decide>, { outcome: 'rejected' }>,
): void {
  if (decision.outcome === 'alreadyApplied') return;
  Object.assign(order, decision.state);
  recordChanges(deps, em, order, decision.changes);
}

/** Writes the timeline, and the events that tell the others: watchers each change, payment the order itself. */
function recordChanges(
  deps: OrderDependencies,
  em: EntityManager,
  order: OrderRow,
  changes: readonly StatusChange[],
): void {
  const now = deps.now();
  const at = now.toISOString();
  order.updatedAt = now;
  order.timeline = [
    ...order.timeline,
    ...changes.map(({ status, version, reason }) => ({ status, version, at, reason })),
  ];
  for (const { status, previousStatus, version, reason } of changes) {
    const meta = { source: 'order', aggregateId: order.id, version, at: now };
    const { id, customerId } = order;
    const data = { status, previousStatus, version, reason, occurredAt: at, order: { id, customerId } };
    stageEvent(em, 'order.status', data, meta);
    if (isSentToPayment(status, previousStatus)) announcePlaced(em, order, now);
    if (status === 'CANCELLED') {
      stageEvent(em, 'order.cancelled', { orderId: id, customerId, reason, cancelledAt: at }, meta);
    }
    const dueAfterMs = { ORDERED: deps.stuckAfterMs, PAID: deps.stuckAfterMs, CANCELLING: firstCancelDueMs };
    const due = status in dueAfterMs ? dueAfterMs[status as keyof typeof dueAfterMs] : undefined;
    order.driveDueAt = due === undefined ? null : new Date(now.getTime() + due);
    order.driveAttempts = 0;
  }
}

function announcePlaced(em: EntityManager, order: OrderRow, now: Date): void {
  const { id: orderId, customerId, currency, paymentToken, deliveryAddress, placedAt, version } = order;
  const total = { amount: order.total, currency };
  const data = { orderId, customerId, total, paymentToken, deliveryAddress, placedAt: placedAt.toISOString() };
  stageEvent(em, 'order.placed', data, { source: 'order', aggregateId: orderId, version, at: now });
}

/** Once in an order's life: coming back to ORDERED from a refused cancel sends nothing a second time. */
const isSentToPayment = (status: OrderStatus, previousStatus: OrderStatus | null): boolean =>
  status === 'ORDERED' && (previousStatus === null || previousStatus === 'ON_HOLD');
