// The checker of fault runs, tried with made-up crimes: a judge that never convicts would make every run look good.
import { expect, test } from '@jest/globals';
import { findViolations } from './checker.ts';
import type { Evidence } from './checker.ts';
import type { CustomerRecord } from './customers.ts';
import type { OrderFact, OutboxFact, Snapshot, StoredMessage } from './snapshot.ts';

const at = (second: number): string => `2026-01-01T00:00:0${String(second)}.000Z`;
const step = (status: OrderFact['status'], version: number) => ({ status, version, at: at(version), reason: null });
const timelines = {
  DELIVERED: [step('ORDERED', 1), step('PAID', 2), step('DELIVERING', 3), step('DELIVERED', 4)],
  CANCELLED: [step('ORDERED', 1), step('CANCELLING', 2), step('CANCELLED', 3)],
} as const;

/** An honest world with one order. */
function evidence(status: 'DELIVERED' | 'CANCELLED'): Evidence {
  const timeline = timelines[status];
  const isDelivered = status === 'DELIVERED';
  const order: OrderFact = {
    id: 'o',
    customer_id: 'alice',
    idempotency_key: 'k',
    total: 9_000,
    status,
    version: timeline.length,
    payment_status: isDelivered ? 'PAID' : 'CANCELLED',
    delivery_id: isDelivered ? 'd' : null,
    delivery_status: isDelivered ? 'COMPLETED' : null,
    timeline,
  };
  const outbox = timeline.map(({ version }): OutboxFact => ({
    service: 'order',
    seq: version,
    id: `e${String(version)}`,
    aggregateId: 'o',
    version,
    stream: 'ORDER',
    type: 'order.status',
    isPublished: true,
    place: { streamCreated: at(0), sequence: version },
  }));
  const snapshot: Snapshot = {
    orders: [order],
    payments: [
      {
        id: 'p',
        order_id: 'o',
        state: isDelivered ? 'PAID' : 'CANCELLED',
        amount: 9_000,
        paid_at: new Date(at(2)),
        cancelled_at: isDelivered ? null : new Date(at(2)),
      },
    ],
    charges: [{ key: 'p', order_id: 'o', status: 'APPROVED', charged: 9_000, refunded: isDelivered ? 0 : 9_000 }],
    deliveries: isDelivered ? [{ id: 'd', order_id: 'o', status: 'COMPLETED', started_at: new Date(at(3)) }] : [],
    outbox,
    stored: outbox.map(({ service: _service, isPublished: _isPublished, place: _place, ...row }) => row),
    deadLetters: [],
  };
  const customer: CustomerRecord = {
    customerId: 'alice',
    idempotencyKey: 'k',
    paymentToken: null,
    orderIds: new Set(['o']),
    gaveUp: false,
    refusal: undefined,
    attempts: 1,
    askedAt: Date.parse(at(1)),
    answeredAfterMs: 5,
    cancelAskedAt: undefined,
    cancelAnswer: undefined,
  };
  const events = timeline.map(({ status: seen, version }) => ({
    ...{ orderId: 'o', version, status: seen, epoch: 1, skipped: 0, at: at(version), connection: 1 },
  }));
  const watchers = [{ name: 'watcher', watches: () => true, events }];
  return { snapshot, customers: [customer], told: new Map(), watchers };
}

/** The rules that are found broken once `change` was done to an honest world. */
function rulesBroken(status: 'DELIVERED' | 'CANCELLED', change: (honest: Evidence) => Evidence): string[] {
  return [...new Set(findViolations(change(evidence(status))).map(({ rule }) => rule))];
}
const inSnapshot = (change: (honest: Snapshot) => Partial<Snapshot>) => (honest: Evidence) => ({
  ...honest,
  snapshot: { ...honest.snapshot, ...change(honest.snapshot) },
});
const inOrder = (change: Partial<OrderFact>) =>
  inSnapshot(({ orders }) => ({ orders: orders.map((order) => ({ ...order, ...change })) }));
const swap = (stored: readonly StoredMessage[]): StoredMessage[] => [
  ...stored.slice(1, 2),
  ...stored.slice(0, 1),
  ...stored.slice(2),
];

test('an honest world has no violation', () => {
  expect(rulesBroken('DELIVERED', (honest) => honest)).toEqual([]);
  expect(rulesBroken('CANCELLED', (honest) => honest)).toEqual([]);
});

test.each<[string, 'DELIVERED' | 'CANCELLED', (honest: Evidence) => Evidence]>([
  [
    'accepted orders exist',
    'DELIVERED',
    inSnapshot(() => ({ orders: [], payments: [], charges: [], deliveries: [], outbox: [], stored: [] })),
  ],
  ['one key, one order', 'DELIVERED', inSnapshot(({ orders }) => ({ orders: [...orders, ...orders] }))],
  ['every order ends', 'DELIVERED', inOrder({ status: 'PAID', version: 2, timeline: timelines.DELIVERED.slice(0, 2) })],
  [
    'timelines are legal',
    'DELIVERED',
    inOrder({ timeline: [step('ORDERED', 1), step('DELIVERING', 2), step('PAID', 3), step('DELIVERED', 4)] }),
  ],
  [
    'timelines are in version order',
    'DELIVERED',
    inOrder({ timeline: [step('ORDERED', 1), step('PAID', 3), step('DELIVERING', 2), step('DELIVERED', 4)] }),
  ],
  [
    'order and payment agree',
    'CANCELLED',
    inSnapshot(({ payments }) => ({ payments: payments.map((one) => ({ ...one, state: 'PAID' as const })) })),
  ],
  [
    'order and delivery agree',
    'CANCELLED',
    inSnapshot(() => ({ deliveries: [{ id: 'd', order_id: 'o', status: 'STARTED', started_at: null }] })),
  ],
  [
    'charged = delivered or refunded',
    'CANCELLED',
    inSnapshot(({ charges }) => ({ charges: charges.map((one) => ({ ...one, refunded: 8_999 })) })),
  ],
  ['charged once', 'DELIVERED', inSnapshot(({ charges }) => ({ charges: [...charges, ...charges] }))],
  [
    'CANCELLED after the payment is',
    'CANCELLED',
    inSnapshot(({ payments }) => ({ payments: payments.map((one) => ({ ...one, cancelled_at: new Date(at(9)) })) })),
  ],
  [
    'every event is published',
    'DELIVERED',
    inSnapshot(({ outbox }) => ({ outbox: outbox.map((row) => ({ ...row, isPublished: false })) })),
  ],
  ['what was published is stored', 'DELIVERED', inSnapshot(({ stored }) => ({ stored: stored.slice(1) }))],
  ['only what was committed is stored', 'DELIVERED', inSnapshot(({ outbox }) => ({ outbox: outbox.slice(1) }))],
  ['streams are in version order', 'DELIVERED', inSnapshot(({ stored }) => ({ stored: swap(stored) }))],
  [
    'one status event for each change',
    'DELIVERED',
    inSnapshot(({ outbox, stored }) => ({ outbox: outbox.slice(1), stored: stored.slice(1) })),
  ],
  [
    'no dead letters',
    'DELIVERED',
    inSnapshot(() => ({ deadLetters: [{ subject: 's', durable: 'd', code: 'c', reason: 'r', orderId: 'o' }] })),
  ],
  [
    'answers are true',
    'DELIVERED',
    (honest) => ({
      ...honest,
      customers: honest.customers.map((one) => ({ ...one, cancelAnswer: 'CANCELLED' as const })),
    }),
  ],
  ['answers are true', 'DELIVERED', (honest) => ({ ...honest, told: new Map([['d', 'CANCELLED' as const]]) })],
  ['orders have a customer', 'DELIVERED', (honest) => ({ ...honest, customers: [] })],
  [
    'watchers see no gap',
    'DELIVERED',
    (honest) => ({
      ...honest,
      watchers: honest.watchers.map((one) => ({ ...one, events: one.events.toSpliced(1, 1) })),
    }),
  ],
  [
    'watchers see no repeat',
    'DELIVERED',
    (honest) => ({
      ...honest,
      watchers: honest.watchers.map((one) => ({ ...one, events: [...one.events, ...one.events.slice(3)] })),
    }),
  ],
])('it sees a breach of "%s" (%s)', (rule, status, crime) => {
  expect(rulesBroken(status, crime)).toContain(rule);
});

/**
 * What is said of a watcher that saw these versions, each in an epoch, where some were stored in another stream at first, and with some of
 * which it was told that so many gave way.
 */
function seeing(
  epochs: Readonly<Record<number, number>>,
  places: Readonly<Record<number, { readonly streamCreated: string; readonly sequence: number }>> = {},
  skipped: Readonly<Record<number, number>> = {},
): string[] {
  return rulesBroken('DELIVERED', (honest) => ({
    ...honest,
    snapshot: {
      ...honest.snapshot,
      outbox: honest.snapshot.outbox.map((row) => ({ ...row, place: places[row.version] ?? row.place })),
    },
    watchers: honest.watchers.map((one) => ({
      ...one,
      events: one.events.flatMap((event) => {
        const epoch = epochs[event.version];
        return epoch === undefined ? [] : [{ ...event, epoch, skipped: skipped[event.version] ?? 0 }];
      }),
    })),
  }));
}
const gap = ['watchers see no gap'];

test('what gave way to a newer one is told with it, and no more than that', () => {
  expect(seeing({ 1: 1, 3: 1, 4: 1 }, {}, { 3: 1 })).toEqual([]);
  expect(seeing({ 3: 1, 4: 1 }, {}, { 3: 2 })).toEqual([]);
  expect(seeing({ 1: 1, 4: 1 }, {}, { 4: 1 })).toEqual(gap);
  expect(seeing({ 1: 1, 2: 1, 3: 1, 4: 1 }, {}, { 4: 1 })).toEqual(gap);
});

test('what was stored before a watcher began, or between two of its beginnings, is not its to see', () => {
  expect(seeing({ 2: 1, 3: 1, 4: 1 })).toEqual([]);
  expect(seeing({ 1: 1, 4: 2 })).toEqual([]);
});

test('a new beginning does not excuse what is missing before or after it', () => {
  expect(seeing({ 1: 1, 3: 1, 4: 2 })).toEqual(gap);
  expect(seeing({ 1: 1, 2: 2, 4: 2 })).toEqual(gap);
  expect(seeing({ 1: 1, 2: 1, 3: 2 })).toEqual(gap);
});

test('a watcher that goes on over a lost stream sees what was stored at first in either', () => {
  const anew = { 3: { streamCreated: at(3), sequence: 1 }, 4: { streamCreated: at(3), sequence: 2 } };
  expect(seeing({ 1: 1, 2: 1, 3: 1, 4: 1 }, anew)).toEqual([]);
  expect(seeing({ 1: 1, 2: 1, 4: 1 }, anew)).toEqual(gap);
  expect(seeing({ 1: 1, 3: 1, 4: 1 }, anew)).toEqual(gap);
  expect(seeing({ 1: 1, 2: 1, 4: 2 }, anew)).toEqual([]);
});

test('what was seen before the stream was made that it is stored in says nothing of where a watcher stood', () => {
  // Seen from a stream that was lost before it had answered; 3 and 4 came into the next one before it.
  const late = {
    2: { streamCreated: at(3), sequence: 3 },
    3: { streamCreated: at(3), sequence: 1 },
    4: { streamCreated: at(3), sequence: 4 },
  };
  expect(seeing({ 1: 1, 2: 1, 4: 2 }, late)).toEqual([]);
});
