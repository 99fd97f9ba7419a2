// The judge of a fault run: holds what customers, riders and watchers saw against the databases, the processor's books and the
// streams. Pure, so that it is tested with made-up crimes.
import { transitions } from '../../subgraphs/order/order.ts';
import type { CustomerRecord } from './customers.ts';
import { checkMessages } from './message-rules.ts';
import type { OrderFact, PaymentFact, Snapshot } from './snapshot.ts';
import { checkWatchers } from './watcher-rules.ts';
import type { WatcherRecord } from './watcher-rules.ts';

export interface Violation {
  readonly rule: string;
  /** Absent when it is about no order in particular. */
  readonly orderId: string | undefined;
  readonly text: string;
}
export type Report = (rule: string, orderId: string | undefined, text: string) => void;

export interface Evidence {
  readonly snapshot: Snapshot;
  readonly customers: readonly CustomerRecord[];
  readonly told: ReadonlyMap<string, 'COMPLETED' | 'CANCELLED'>;
  readonly watchers: readonly WatcherRecord[];
}

export function findViolations({ snapshot, customers, told, watchers }: Evidence): Violation[] {
  const violations: Violation[] = [];
  const report: Report = (rule, orderId, text) => violations.push({ rule, orderId, text });
  const orders = new Map(snapshot.orders.map((order) => [order.id, order]));
  checkCustomers(snapshot.orders, customers, report);
  for (const order of snapshot.orders) checkTimeline(order, report);
  checkMoneyAndFood(snapshot, orders, report);
  checkRiders(snapshot, orders, told, report);
  checkMessages(snapshot, report);
  for (const watcher of watchers) checkWatchers(watcher, snapshot, report);
  for (const { subject, durable, code, reason, orderId } of snapshot.deadLetters) {
    report('no dead letters', orderId, `${durable} parked ${subject}: ${code} ${reason}`);
  }
  return violations;
}

/** Every accepted order exists once, those without an answer once or never, and nobody has one that they did not place. */
function checkCustomers(orders: readonly OrderFact[], customers: readonly CustomerRecord[], report: Report): void {
  const byKey = Map.groupBy(orders, (order) => `${order.customer_id} ${order.idempotency_key ?? ''}`);
  for (const record of customers) {
    const who = `${record.customerId} ${record.idempotencyKey}`;
    const found = byKey.get(who) ?? [];
    byKey.delete(who);
    const [first] = record.orderIds;
    if (record.refusal !== undefined) report('orders are taken', undefined, `${who} was refused: ${record.refusal}`);
    if (record.orderIds.size > 1) {
      report('one key, one order', first, `${who} was told of ${[...record.orderIds].join(', ')}`);
    }
    if (found.length > 1) report('one key, one order', first, `${who} has ${String(found.length)} orders`);
    if (first !== undefined && found[0]?.id !== first)
      report('accepted orders exist', first, `${who} has no such order`);
    const { status } = found[0] ?? {};
    if (record.cancelAnswer === 'CANCELLED' && status !== 'CANCELLED') {
      report('answers are true', first, `the customer was told CANCELLED, and it is ${status ?? 'gone'}`);
    }
    if (record.cancelAnswer === 'REFUSED' && status === 'CANCELLED') {
      report('answers are true', first, 'the customer was told that it cannot be cancelled, and it is CANCELLED');
    }
  }
  for (const [who, [order]] of byKey) report('orders have a customer', order?.id, `nobody placed the order of ${who}`);
}

/** Legal steps in version order, and one end. */
function checkTimeline(order: OrderFact, report: Report): void {
  const { id, timeline, status, version } = order;
  timeline.forEach((entry, index) => {
    const before = timeline[index - 1];
    if (entry.version !== index + 1) {
      report('timelines are in version order', id, `entry ${String(index)} has version ${String(entry.version)}`);
    }
    if (before === undefined) {
      if (entry.status !== 'ORDERED' && entry.status !== 'ON_HOLD')
        report('timelines are legal', id, `began ${entry.status}`);
    } else if (!transitions[before.status].includes(entry.status)) {
      report('timelines are legal', id, `${before.status} → ${entry.status}`);
    }
  });
  const last = timeline.at(-1);
  if (last?.status !== status || last.version !== version) {
    report('timelines are whole', id, `the order is ${status} ${String(version)}, its timeline ends otherwise`);
  }
  if (transitions[status].length > 0) report('every order ends', id, `it is still ${status}`);
}

/** Money taken = food delivered, or money returned: to the won. */
function checkMoneyAndFood(snapshot: Snapshot, orders: ReadonlyMap<string, OrderFact>, report: Report): void {
  const payments = Map.groupBy(snapshot.payments, (payment) => payment.order_id);
  const charges = Map.groupBy(snapshot.charges, (charge) => charge.order_id);
  const deliveries = Map.groupBy(snapshot.deliveries, (delivery) => delivery.order_id);
  const expected = {
    DELIVERED: { payment: 'PAID', delivery: ['COMPLETED'] },
    REJECTED: { payment: 'DECLINED', delivery: [] },
    CANCELLED: { payment: 'CANCELLED', delivery: ['CANCELLED', undefined] },
  } as const;

  for (const order of orders.values()) {
    const { id, status, total } = order;
    if (status !== 'DELIVERED' && status !== 'REJECTED' && status !== 'CANCELLED') continue;
    const [payment, ...morePayments] = payments.get(id) ?? [];
    const [delivery, ...moreDeliveries] = deliveries.get(id) ?? [];
    if (morePayments.length > 0) report('one payment', id, `${String(morePayments.length + 1)} payments`);
    if (moreDeliveries.length > 0) report('one delivery', id, `${String(moreDeliveries.length + 1)} deliveries`);
    if (payment?.state !== expected[status].payment) {
      report('order and payment agree', id, `the order is ${status}, its payment ${payment?.state ?? 'is not there'}`);
    }
    const allowed: readonly (string | undefined)[] = expected[status].delivery;
    if (!allowed.includes(delivery?.status) && !(allowed.length === 0 && delivery === undefined)) {
      report(
        'order and delivery agree',
        id,
        `the order is ${status}, its delivery ${delivery?.status ?? 'is not there'}`,
      );
    }
    const booked = charges.get(id) ?? [];
    const kept = booked.reduce((sum, { charged, refunded }) => sum + charged - refunded, 0);
    const due = status === 'DELIVERED' ? total : 0;
    if (kept !== due) report('charged = delivered or refunded', id, `${String(kept)} kept where ${String(due)} is due`);
    const taken = booked.reduce((sum, { charged }) => sum + charged, 0);
    if (taken > total) report('charged once', id, `${String(taken)} taken for an order of ${String(total)}`);
    checkCancelledLast(order, payment, report);
  }
  for (const [orderId] of [...payments, ...charges, ...deliveries]) {
    if (!orders.has(orderId))
      report('nothing without an order', orderId, 'there is a payment, charge or delivery of no order');
  }
}

/** N1: a customer never sees CANCELLED before the payment is. */
function checkCancelledLast({ id, timeline }: OrderFact, payment: PaymentFact | undefined, report: Report): void {
  const seen = timeline.find(({ status }) => status === 'CANCELLED');
  if (seen === undefined || !payment?.cancelled_at) return;
  if (new Date(seen.at) < new Date(payment.cancelled_at)) {
    report(
      'CANCELLED after the payment is',
      id,
      `${seen.at} is before ${new Date(payment.cancelled_at).toISOString()}`,
    );
  }
}

function checkRiders(
  snapshot: Snapshot,
  orders: ReadonlyMap<string, OrderFact>,
  told: ReadonlyMap<string, 'COMPLETED' | 'CANCELLED'>,
  report: Report,
): void {
  for (const delivery of snapshot.deliveries) {
    const answer = told.get(delivery.id);
    if (answer !== undefined && answer !== delivery.status) {
      report(
        'answers are true',
        delivery.order_id,
        `a rider was told ${answer}, and the delivery is ${delivery.status}`,
      );
    }
    const order = orders.get(delivery.order_id);
    if (order?.delivery_id && order.delivery_id !== delivery.id) {
      report('one delivery', delivery.order_id, `the order names another delivery, ${order.delivery_id}`);
    }
  }
}
