// Properties of the order's rules under everything the broker may do: repeat, reorder, and cancel at any moment.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OrderStatus } from '../../schema/events.ts';
import { decide, hasEnded, newOrder, transitions } from './order.ts';
import type { OrderEvent, OrderState, StatusChange } from './order.ts';

/** What the other services may come to say of one order, each fact once, in the order in which it became true. */
const lives: Record<string, { facts: OrderEvent[]; end: OrderStatus }> = {
  delivered: {
    facts: [
      { type: 'paid' },
      { type: 'deliveryStarted', deliveryId: 'd' },
      { type: 'deliveryCompleted', deliveryId: 'd' },
    ],
    end: 'DELIVERED',
  },
  declined: { facts: [{ type: 'declined', reason: 'no' }], end: 'REJECTED' },
  'cancelled before payment': {
    facts: [{ type: 'cancelRequested', reason: null }, { type: 'paymentCancelled' }],
    end: 'CANCELLED',
  },
  'cancelled after payment': {
    facts: [
      { type: 'paid' },
      { type: 'deliveryStarted', deliveryId: 'd' },
      { type: 'cancelRequested', reason: null },
      { type: 'deliveryCancelled', deliveryId: 'd' },
      { type: 'paymentCancelled' },
    ],
    end: 'CANCELLED',
  },
  'cancel refused, as the food was there first': {
    facts: [
      { type: 'paid' },
      { type: 'deliveryStarted', deliveryId: 'd' },
      { type: 'cancelRequested', reason: null },
      { type: 'deliveryCompleted', deliveryId: 'd' },
      { type: 'cancelRefused', reason: 'The food was delivered.' },
    ],
    end: 'DELIVERED',
  },
};

/** Our own requests happen in our own transactions, one after the other; only what comes from outside is shuffled and repeated. */
const isOwn = (event: OrderEvent): boolean => event.type === 'cancelRequested';

/** A delivery of the facts: any order among those from outside, any of them up to three times, own requests where they were or earlier. */
const deliveries = (facts: readonly OrderEvent[]): fc.Arbitrary<OrderEvent[]> =>
  fc
    .tuple(
      fc.array(fc.constantFrom(...facts.filter((event) => !isOwn(event))), { maxLength: 6 }),
      fc.array(fc.nat(1_000), { minLength: 12, maxLength: 12 }),
    )
    .map(([repeats, order]) => {
      // An answer to a cancel cannot come before the wish: the wish goes first among what is delivered.
      const own = facts.filter(isOwn);
      const outside = [...facts.filter((event) => !isOwn(event)), ...repeats]
        .map((event, index) => ({ event, at: order[index % order.length] ?? 0 }))
        .sort((a, b) => a.at - b.at)
        .map(({ event }) => event);
      return [...own, ...outside];
    });

function run(events: readonly OrderEvent[]): { state: OrderState; changes: StatusChange[] } {
  let { state } = newOrder('ORDERED');
  const changes: StatusChange[] = [...newOrder('ORDERED').changes];
  for (const event of events) {
    const decision = decide(state, event);
    // A refusal that overtakes the completion it is about leaves the completion to come; nothing else may be rejected.
    if (decision.outcome === 'rejected') throw new Error(`${event.type} in ${state.status}: ${decision.reason}`);
    if (decision.outcome !== 'applied') continue;
    state = decision.state;
    changes.push(...decision.changes);
  }
  return { state, changes };
}

test.each(Object.entries(lives))('%s: every order and repetition of the facts leads to the same end', (_name, life) => {
  fc.assert(
    fc.property(deliveries(life.facts), (events) => {
      expect(run(events).state.status).toBe(life.end);
    }),
    { numRuns: 500 },
  );
});

test('the timeline is legal and without a gap, whatever events come', () => {
  const anyEvent = fc.constantFrom<OrderEvent>(
    { type: 'released' },
    { type: 'paid' },
    { type: 'declined', reason: 'no' },
    { type: 'paymentCancelled' },
    { type: 'deliveryStarted', deliveryId: 'd' },
    { type: 'deliveryCompleted', deliveryId: 'd' },
    { type: 'deliveryCancelled', deliveryId: 'd' },
    { type: 'cancelRequested', reason: null },
    { type: 'cancelRefused', reason: 'no' },
  );
  fc.assert(
    fc.property(fc.constantFrom('ORDERED', 'ON_HOLD'), fc.array(anyEvent, { maxLength: 30 }), (initial, events) => {
      let { state } = newOrder(initial);
      for (const event of events) {
        const decision = decide(state, event);
        if (decision.outcome !== 'applied') continue;
        expect(hasEnded(state.status) && decision.changes.length > 0).toBe(false);
        let { status, version } = state;
        for (const change of decision.changes) {
          expect(change.previousStatus).toBe(status);
          expect(transitions[status]).toContain(change.status);
          expect(change.version).toBe(version + 1);
          ({ status, version } = change);
        }
        expect(decision.state).toMatchObject({ status, version });
        expect(decide(decision.state, event).outcome).not.toBe('applied');
        state = decision.state;
      }
    }),
    { numRuns: 2_000 },
  );
});
