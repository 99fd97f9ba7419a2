// The order's rules: the whole state × event matrix, and what each rule of the design means in events.
import { describe, expect, test } from '@jest/globals';
import type { OrderStatus } from '../../schema/events.ts';
import { decide, hasEnded, newOrder, transitions } from './order.ts';
import type { OrderEvent, OrderState } from './order.ts';

const events = {
  released: { type: 'released' },
  paid: { type: 'paid' },
  declined: { type: 'declined', reason: 'card_declined' },
  paymentCancelled: { type: 'paymentCancelled' },
  deliveryStarted: { type: 'deliveryStarted', deliveryId: 'd1' },
  deliveryCompleted: { type: 'deliveryCompleted', deliveryId: 'd1' },
  deliveryCancelled: { type: 'deliveryCancelled', deliveryId: 'd1' },
  cancelRequested: { type: 'cancelRequested', reason: 'changed my mind' },
  cancelRefused: { type: 'cancelRefused', reason: 'The food was delivered.' },
} as const satisfies Record<string, OrderEvent>;
type EventName = keyof typeof events;

/** An order that has lived through `names`; each must have been applied. */
function after(...names: EventName[]): OrderState {
  return names.reduce((state, name) => {
    const decision = decide(state, events[name]);
    if (decision.outcome !== 'applied') throw new Error(`${name} was ${decision.outcome}`);
    return decision.state;
  }, newOrder('ORDERED').state);
}

const states: Record<string, OrderState> = {
  ON_HOLD: newOrder('ON_HOLD').state,
  ORDERED: after(),
  PAID: after('paid'),
  DELIVERING: after('paid', 'deliveryStarted'),
  DELIVERED: after('paid', 'deliveryStarted', 'deliveryCompleted'),
  REJECTED: after('declined'),
  'CANCELLING from ORDERED': after('cancelRequested'),
  'CANCELLING from PAID': after('paid', 'cancelRequested'),
  'CANCELLING from DELIVERING': after('paid', 'deliveryStarted', 'cancelRequested'),
  CANCELLED: after('paid', 'deliveryStarted', 'cancelRequested', 'paymentCancelled'),
  'DELIVERING, cancel refused': after('paid', 'deliveryStarted', 'cancelRequested', 'cancelRefused'),
};

/** `-` already applied, `x` rejected, `=` remembered without a change of status, else the status reached. */
const matrix: Record<keyof typeof states, Record<EventName, OrderStatus | '-' | 'x' | '='>> = {
  ON_HOLD: {
    ...{ released: 'ORDERED', paid: '=', declined: '=', paymentCancelled: 'x', deliveryStarted: '=' },
    ...{ deliveryCompleted: '=', deliveryCancelled: '=', cancelRequested: 'CANCELLING', cancelRefused: '-' },
  },
  ORDERED: {
    ...{ released: '-', paid: 'PAID', declined: 'REJECTED', paymentCancelled: 'x', deliveryStarted: '=' },
    ...{ deliveryCompleted: '=', deliveryCancelled: '=', cancelRequested: 'CANCELLING', cancelRefused: '-' },
  },
  PAID: {
    ...{ released: '-', paid: '-', declined: '-', paymentCancelled: 'x', deliveryStarted: 'DELIVERING' },
    ...{ deliveryCompleted: 'DELIVERED', deliveryCancelled: '=', cancelRequested: 'CANCELLING', cancelRefused: '-' },
  },
  DELIVERING: {
    ...{ released: '-', paid: '-', declined: '-', paymentCancelled: 'x', deliveryStarted: '-' },
    ...{ deliveryCompleted: 'DELIVERED', deliveryCancelled: '=', cancelRequested: 'CANCELLING', cancelRefused: '-' },
  },
  DELIVERED: {
    ...{ released: '-', paid: '-', declined: '-', paymentCancelled: 'x', deliveryStarted: '-' },
    ...{ deliveryCompleted: '-', deliveryCancelled: 'x', cancelRequested: 'x', cancelRefused: '-' },
  },
  REJECTED: {
    ...{ released: '-', paid: '-', declined: '-', paymentCancelled: 'x', deliveryStarted: '=' },
    ...{ deliveryCompleted: '=', deliveryCancelled: '=', cancelRequested: 'x', cancelRefused: '-' },
  },
  'CANCELLING from ORDERED': {
    ...{ released: 'x', paid: '=', declined: '=', paymentCancelled: 'CANCELLED', deliveryStarted: '=' },
    ...{ deliveryCompleted: '=', deliveryCancelled: '=', cancelRequested: '-', cancelRefused: 'ORDERED' },
  },
  'CANCELLING from PAID': {
    ...{ released: 'x', paid: '-', declined: '-', paymentCancelled: 'CANCELLED', deliveryStarted: '=' },
    ...{ deliveryCompleted: '=', deliveryCancelled: '=', cancelRequested: '-', cancelRefused: 'PAID' },
  },
  'CANCELLING from DELIVERING': {
    ...{ released: 'x', paid: '-', declined: '-', paymentCancelled: 'CANCELLED', deliveryStarted: '-' },
    ...{ deliveryCompleted: '=', deliveryCancelled: '=', cancelRequested: '-', cancelRefused: 'DELIVERING' },
  },
  CANCELLED: {
    ...{ released: 'x', paid: '-', declined: '-', paymentCancelled: '-', deliveryStarted: '-' },
    ...{ deliveryCompleted: '=', deliveryCancelled: '=', cancelRequested: '-', cancelRefused: '-' },
  },
  'DELIVERING, cancel refused': {
    ...{ released: '-', paid: '-', declined: '-', paymentCancelled: 'x', deliveryStarted: '-' },
    ...{ deliveryCompleted: 'DELIVERED', deliveryCancelled: '=', cancelRequested: 'x', cancelRefused: '-' },
  },
};

const cells = Object.entries(matrix).flatMap(([state, row]) =>
  Object.entries(row).map(([event, expected]) => [state, event as EventName, expected] as const),
);

test.each(cells)('%s: %s → %s', (name, eventName, expected) => {
  const state = states[name];
  if (state === undefined) throw new Error(name);
  const decision = decide(state, events[eventName]);
  if (expected === '-') expect(decision).toEqual({ outcome: 'alreadyApplied' });
  else if (expected === 'x') expect(decision).toEqual({ outcome: 'rejected', reason: expect.any(String) });
  else {
    if (decision.outcome !== 'applied') throw new Error(decision.outcome);
    expect(decision.state.status).toBe(expected === '=' ? state.status : expected);
    expect(decision.changes).toHaveLength(decision.state.version - state.version);
    let previous = state.status;
    for (const change of decision.changes) {
      expect(change.previousStatus).toBe(previous);
      expect(transitions[previous]).toContain(change.status);
      previous = change.status;
    }
  }
});

describe('facts overtake each other', () => {
  test('a delivery known before its payment waits, and then gives both changes in order', () => {
    const early = after('deliveryStarted');
    expect(early.status).toBe('ORDERED');
    const decision = decide(early, events.paid);
    expect(decision).toMatchObject({
      changes: [
        { status: 'PAID', version: 2 },
        { status: 'DELIVERING', version: 3 },
      ],
    });
  });

  test('facts that arrive while cancelling count once the cancel is refused', () => {
    const cancelling = after('cancelRequested', 'paid', 'deliveryStarted', 'deliveryCompleted');
    expect(cancelling.status).toBe('CANCELLING');
    const decision = decide(cancelling, events.cancelRefused);
    expect(decision).toMatchObject({
      changes: [
        { status: 'ORDERED', reason: 'The food was delivered.' },
        { status: 'PAID' },
        { status: 'DELIVERING' },
        { status: 'DELIVERED' },
      ],
    });
  });

  test('a decline that arrives while cancelling rejects the order once the cancel is refused', () => {
    const decision = decide(after('cancelRequested', 'declined'), events.cancelRefused);
    expect(decision).toMatchObject({
      changes: [{ status: 'ORDERED' }, { status: 'REJECTED', reason: 'card_declined' }],
    });
  });
});

describe('cancelling', () => {
  test('an order is cancelled only by its payment (N1)', () => {
    const reached = cells.filter(([, , expected]) => expected === 'CANCELLED').map(([, event]) => event);
    expect(new Set(reached)).toEqual(new Set(['paymentCancelled']));
  });

  test('what payment has refused is refused for good, with its reason, wherever the order has moved to meanwhile', () => {
    const refused = after('cancelRequested', 'cancelRefused', 'paid', 'deliveryStarted');
    expect(decide(refused, events.cancelRequested)).toEqual({ outcome: 'rejected', reason: 'The food was delivered.' });
  });

  test('the reason of the wish stays with the end', () => {
    const state = after('paid', 'cancelRequested');
    expect(decide(state, events.paymentCancelled)).toMatchObject({
      changes: [{ status: 'CANCELLED', reason: 'changed my mind' }],
    });
  });
});

test('the ends are DELIVERED, REJECTED and CANCELLED', () => {
  expect((Object.keys(transitions) as OrderStatus[]).filter(hasEnded).sort()).toEqual([
    'CANCELLED',
    'DELIVERED',
    'REJECTED',
  ]);
});
