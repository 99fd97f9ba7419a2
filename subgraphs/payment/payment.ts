// The payment aggregate: from the wish to charge to money taken, declined or returned. Pure: no I/O, no clock.
import type { PaymentStatus } from '../../schema/events.ts';

/** CHARGING and CANCELLING are wishes under way, stored before the card processor is asked; clients see only what is decided. */
export type PaymentState = 'CHARGING' | 'PAID' | 'DECLINED' | 'CANCELLING' | 'CANCELLED';

export interface Payment {
  readonly state: PaymentState;
  /** Counts the state changes, from 1. */
  readonly version: number;
  /** While CANCELLING: where the payment goes back to when the cancel is refused. */
  readonly cancelFrom: 'CHARGING' | 'PAID' | null;
  /** Why delivery refused a cancel. Food that was handed over stays so: every later cancel is refused without asking. */
  readonly refusal: string | null;
}

export type PaymentEvent =
  /** The processor took the money. */
  | 'approved'
  /** The processor said no. */
  | 'declined'
  | 'cancelRequested'
  /** Delivery refused, as the food was handed over. */
  | 'cancelRefused'
  /** The processor returned the money, or made sure that none is taken. */
  | 'refunded';

export type PaymentDecision =
  | { readonly outcome: 'applied'; readonly payment: Payment }
  | { readonly outcome: 'alreadyApplied' }
  | { readonly outcome: 'rejected'; readonly reason: string };

export const newPayment = (): Payment => ({ state: 'CHARGING', version: 1, cancelFrom: null, refusal: null });

/** The marker of a cancel that overtook its order: the late `order.placed` finds it and charges nothing. */
export const cancelledBeforePlaced = (): Payment => ({
  state: 'CANCELLED',
  version: 1,
  cancelFrom: null,
  refusal: null,
});

/** Decides what `event` does to a payment. Total: every event in every state has one of the three outcomes. */
export function decide(payment: Payment, event: PaymentEvent): PaymentDecision {
  const { state, cancelFrom, refusal } = payment;
  switch (event) {
    case 'approved':
    case 'declined':
      // While CANCELLING the answer changes nothing: the refund that follows undoes a charge, if there was one.
      return state === 'CHARGING' ? moved(payment, event === 'approved' ? 'PAID' : 'DECLINED') : alreadyApplied;
    case 'cancelRequested':
      // A repeat that comes late must not open again what its order has settled: nobody would drive it to an end.
      if (state === 'PAID' && refusal !== null) return rejected(refusal);
      if (state === 'CHARGING' || state === 'PAID') return moved(payment, 'CANCELLING', state);
      return state === 'DECLINED' ? rejected('The payment was declined, so nothing was charged.') : alreadyApplied;
    case 'cancelRefused':
      if (state !== 'CANCELLING') return alreadyApplied;
      return cancelFrom === 'PAID' ? moved(payment, 'PAID') : rejected('Only a payment that was taken can be kept.');
    case 'refunded':
      if (state === 'CANCELLED') return alreadyApplied;
      return state === 'CANCELLING'
        ? moved(payment, 'CANCELLED')
        : rejected(`A payment that is ${state} was refunded.`);
  }
}

/** What clients see: nothing until it is decided, and PAID until the money is back. */
export function publicStatus({ state, cancelFrom }: Payment): PaymentStatus | null {
  if (state === 'CHARGING') return null;
  if (state === 'CANCELLING') return cancelFrom === 'PAID' ? 'PAID' : null;
  return state;
}

const alreadyApplied: PaymentDecision = { outcome: 'alreadyApplied' };
const rejected = (reason: string): PaymentDecision => ({ outcome: 'rejected', reason });
const moved = (
  { version, refusal }: Payment,
  state: PaymentState,
  cancelFrom: Payment['cancelFrom'] = null,
): PaymentDecision => ({ outcome: 'applied', payment: { state, version: version + 1, cancelFrom, refusal } });
