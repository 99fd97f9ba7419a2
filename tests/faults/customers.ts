// Customers: they order at a steady rate whatever happens, ask again with the same key when no answer comes, and many change their mind.
import { setTimeout as pause } from 'node:timers/promises';
import type { OrderStatus } from '../../schema/events.ts';
import { ask } from './client.ts';
import type { Random } from './random.ts';

/** What one customer knows of one order. The checker holds it against the databases. */
export interface CustomerRecord {
  readonly customerId: string;
  readonly idempotencyKey: string;
  readonly paymentToken: string | null;
  /** Every order id that an answer named. More than one is a violation. */
  readonly orderIds: Set<string>;
  /** The customer went away without an answer: there may be one order or none. */
  gaveUp: boolean;
  /** Refused for good, which no order here should be. */
  refusal: string | undefined;
  /** Requests that it took. */
  attempts: number;
  /** When the customer asked for the first time, and how long it took until an order was named, further requests included. */
  readonly askedAt: number;
  answeredAfterMs: number | undefined;
  cancelAskedAt: number | undefined;
  /** The last thing that the customer was told of the cancel. */
  cancelAnswer: OrderStatus | 'REFUSED' | undefined;
}

export interface CustomerOptions {
  readonly graphqlUrl: string;
  readonly token: (customerId: string) => Promise<string>;
  readonly random: Random;
  readonly ordersPerSecond: number;
  readonly customers: number;
  /** Share of orders that their customer tries to cancel, at a random moment. */
  readonly cancelShare: number;
  /** Longest time before a change of mind. */
  readonly cancelWithinMs: number;
}

export interface Customers {
  readonly records: readonly CustomerRecord[];
  /** Why answers did not come, and how often. */
  readonly unknowns: ReadonlyMap<string, number>;
  /** Takes no more orders, and waits until every customer knows what became of theirs. */
  stop(): Promise<void>;
}

/** Menus of the sample that every shop starts with. */
const menuIds = ['1', '2', '3', '4', '5', '6', '7', '8'].map((digit) => `0190a000-0000-7000-8000-00000000000${digit}`);
const placeOrder = `mutation Place($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id status } } }`;
const cancelOrder = `mutation Cancel($input: CancelOrderInput!) { cancelOrder(input: $input) { order { id status } } }`;
/** Customers who wait at once, at most; a real shop's load balancer would shed the rest. */
const mostWaiting = 400;
const longestBackOffMs = 5_000;

export function startCustomers(options: CustomerOptions): Customers {
  const { graphqlUrl, token, random } = options;
  const records: CustomerRecord[] = [];
  const unknowns = new Map<string, number>();
  const waiting = new Set<Promise<void>>();
  const stopping = new AbortController();
  const isClosing = (): boolean => stopping.signal.aborted;

  const noteUnknown = (why: string): void => void unknowns.set(why, (unknowns.get(why) ?? 0) + 1);

  const visit = async (record: CustomerRecord, choices: Random): Promise<void> => {
    const bearer = await token(record.customerId);
    const input = {
      items: [{ menuId: choices.pick(menuIds as [string, ...string[]]), quantity: Math.floor(choices.between(1, 4)) }],
      deliveryAddress: '서울시 마포구 1-2',
      paymentToken: record.paymentToken,
      idempotencyKey: record.idempotencyKey,
    };
    const isDoubleClick = choices.chance(0.03);
    const isImpatient = choices.chance(0.02);
    const changesMind = choices.chance(options.cancelShare);
    const after = choices.pick([0, 0.01, 0.1, 0.3, 1]) * choices.next() * options.cancelWithinMs;

    const askedAt = performance.now();
    const place = async (): Promise<void> => {
      for (;;) {
        record.attempts += 1;
        const answer = await ask<{ placeOrder: { order: { id: string } } }>(graphqlUrl, bearer, placeOrder, { input });
        if (answer.kind === 'data') {
          record.answeredAfterMs ??= performance.now() - askedAt;
          record.orderIds.add(answer.data.placeOrder.order.id);
          return;
        }
        if (answer.kind === 'refused') {
          record.refusal = `${answer.code}: ${answer.message}`;
          return;
        }
        noteUnknown(`placeOrder ${answer.why}`);
        if (isImpatient) {
          record.gaveUp = true;
          return;
        }
        await pause(backOff(choices, record.attempts));
      }
    };
    await Promise.all(isDoubleClick ? [place(), place()] : [place()]);

    const [orderId] = record.orderIds;
    if (!changesMind || orderId === undefined) return;
    await pause(after);
    record.cancelAskedAt = Date.now();
    for (let attempt = 1; ; attempt += 1) {
      const answer = await ask<{ cancelOrder: { order: { status: OrderStatus } } }>(graphqlUrl, bearer, cancelOrder, {
        input: { orderId, reason: 'changed my mind' },
      });
      if (answer.kind === 'data') return void (record.cancelAnswer = answer.data.cancelOrder.order.status);
      if (answer.kind === 'refused' && answer.code === 'ORDER_NOT_CANCELLABLE') {
        return void (record.cancelAnswer = 'REFUSED');
      }
      noteUnknown(`cancelOrder ${answer.kind === 'refused' ? answer.code : answer.why}`);
      await pause(backOff(choices, attempt));
    }
  };

  const arrive = (index: number): void => {
    const choices = random.fork();
    const record: CustomerRecord = {
      customerId: `customer-${String(Math.floor(choices.next() * options.customers))}`,
      idempotencyKey: `key-${String(index)}`,
      paymentToken: chooseToken(choices),
      orderIds: new Set(),
      gaveUp: false,
      refusal: undefined,
      attempts: 0,
      askedAt: Date.now(),
      answeredAfterMs: undefined,
      cancelAskedAt: undefined,
      cancelAnswer: undefined,
    };
    records.push(record);
    const visiting = visit(record, choices).finally(() => waiting.delete(visiting));
    waiting.add(visiting);
  };

  const opening = (async () => {
    const startedAt = performance.now();
    for (let index = 0; !isClosing(); index += 1) {
      const dueMs = (index * 1_000) / options.ordersPerSecond - (performance.now() - startedAt);
      if (dueMs > 0) await pause(dueMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      while (waiting.size >= mostWaiting && !isClosing()) await Promise.race(waiting);
      if (!isClosing()) arrive(index);
    }
  })();

  return {
    records,
    unknowns,
    async stop() {
      stopping.abort();
      await opening;
      await Promise.all(waiting);
    },
  };
}

/** As apps should, customers ask again ever more slowly, and not all at once. */
const backOff = (choices: Random, attempt: number): number =>
  choices.between(0.5, 1) * Math.min(200 * 2 ** attempt, longestBackOffMs);

const chooseToken = (choices: Random): string | null => {
  const kind = choices.next();
  if (kind < 0.05) return 'tok_declined';
  if (kind < 0.1) return 'tok_slow';
  if (kind < 0.14) return `tok_unavailable_${String(Math.floor(choices.between(1, 4)))}`;
  if (kind < 0.18) return 'tok_lost_reply';
  return kind < 0.5 ? null : 'tok_visa';
};
