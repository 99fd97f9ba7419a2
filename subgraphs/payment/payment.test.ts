// The payment's rules: the whole state × event matrix, and what clients see of each state.
import { expect, test } from '@jest/globals';
import { cancelledBeforePlaced, decide, newPayment, publicStatus } from './payment.ts';
import type { Payment, PaymentEvent, PaymentState } from './payment.ts';

function after(...events: PaymentEvent[]): Payment {
  return events.reduce((payment, event) => {
    const decision = decide(payment, event);
    if (decision.outcome !== 'applied') throw new Error(`${event} was ${decision.outcome}`);
    return decision.payment;
  }, newPayment());
}

const payments = {
  CHARGING: newPayment(),
  PAID: after('approved'),
  DECLINED: after('declined'),
  'CANCELLING from CHARGING': after('cancelRequested'),
  'CANCELLING from PAID': after('approved', 'cancelRequested'),
  CANCELLED: after('approved', 'cancelRequested', 'refunded'),
  'PAID, and kept': { ...after('approved', 'cancelRequested', 'cancelRefused'), refusal: 'The food was delivered.' },
} satisfies Record<string, Payment>;

/** `-` already applied, `x` rejected, else the state reached. */
const matrix: Record<keyof typeof payments, Record<PaymentEvent, PaymentState | '-' | 'x'>> = {
  CHARGING: {
    approved: 'PAID',
    declined: 'DECLINED',
    cancelRequested: 'CANCELLING',
    cancelRefused: '-',
    refunded: 'x',
  },
  PAID: { approved: '-', declined: '-', cancelRequested: 'CANCELLING', cancelRefused: '-', refunded: 'x' },
  DECLINED: { approved: '-', declined: '-', cancelRequested: 'x', cancelRefused: '-', refunded: 'x' },
  'CANCELLING from CHARGING': {
    ...{ approved: '-', declined: '-', cancelRequested: '-', cancelRefused: 'x', refunded: 'CANCELLED' },
  },
  'CANCELLING from PAID': {
    ...{ approved: '-', declined: '-', cancelRequested: '-', cancelRefused: 'PAID', refunded: 'CANCELLED' },
  },
  CANCELLED: { approved: '-', declined: '-', cancelRequested: '-', cancelRefused: '-', refunded: '-' },
  'PAID, and kept': { approved: '-', declined: '-', cancelRequested: 'x', cancelRefused: '-', refunded: 'x' },
};

const cells = (Object.keys(matrix) as (keyof typeof payments)[]).flatMap((name) =>
  (Object.entries(matrix[name]) as [PaymentEvent, PaymentState | '-' | 'x'][]).map(
    ([event, expected]) => [name, event, expected] as const,
  ),
);

test.each(cells)('%s: %s → %s', (name, event, expected) => {
  const decision = decide(payments[name], event);
  if (expected === '-') expect(decision).toEqual({ outcome: 'alreadyApplied' });
  else if (expected === 'x') expect(decision).toEqual({ outcome: 'rejected', reason: expect.any(String) });
  else {
    const version = payments[name].version + 1;
    expect(decision).toMatchObject({ outcome: 'applied', payment: { state: expected, version } });
  }
});

test('clients see a payment once it is decided, and PAID until the money is back', () => {
  expect(Object.values(payments).map(publicStatus)).toEqual([
    null,
    'PAID',
    'DECLINED',
    null,
    'PAID',
    'CANCELLED',
    'PAID',
  ]);
});

test('the marker of an early cancel bars the charge', () => {
  expect(decide(cancelledBeforePlaced(), 'approved')).toEqual({ outcome: 'alreadyApplied' });
  expect(publicStatus(cancelledBeforePlaced())).toBe('CANCELLED');
});
