// The delivery aggregate: started, then completed or cancelled. Pure: no I/O, no clock.
import type { DeliveryStatus } from '../../schema/events.ts';

export interface Delivery {
  readonly status: DeliveryStatus;
  /** Counts the status changes, from 1. */
  readonly version: number;
}

export type DeliveryEvent = 'completed' | 'cancelRequested';

export type DeliveryDecision =
  | { readonly outcome: 'applied'; readonly delivery: Delivery }
  | { readonly outcome: 'alreadyApplied' }
  | { readonly outcome: 'rejected'; readonly reason: string };

/** A requested delivery starts at once. */
export const newDelivery = (): Delivery => ({ status: 'STARTED', version: 1 });

/** The marker of a cancel that overtook its payment: the late `payment.paid` finds it and starts nothing. */
export const cancelledBeforePaid = (): Delivery => ({ status: 'CANCELLED', version: 1 });

/** Decides what `event` does to a delivery. Both ends are final. */
export function decide({ status, version }: Delivery, event: DeliveryEvent): DeliveryDecision {
  const target: DeliveryStatus = event === 'completed' ? 'COMPLETED' : 'CANCELLED';
  if (status === 'STARTED') return { outcome: 'applied', delivery: { status: target, version: version + 1 } };
  if (status === target) return { outcome: 'alreadyApplied' };
  return {
    outcome: 'rejected',
    reason: status === 'COMPLETED' ? 'The food was delivered.' : 'The delivery was cancelled.',
  };
}
