// The order aggregate: its states, the facts it knows, and what each event does to it. Pure: no I/O, no clock.
import type { DeliveryStatus, OrderStatus, PaymentStatus } from '../../schema/events.ts';

/** What of an order decides how it moves. Facts of the other services are kept as they come, whatever the status is then. */
export interface OrderState {
  readonly status: OrderStatus;
  /** Counts the status changes, from 1. */
  readonly version: number;
  readonly statusReason: string | null;
  readonly paymentStatus: PaymentStatus | null;
  readonly declineReason: string | null;
  readonly deliveryId: string | null;
  readonly deliveryStatus: DeliveryStatus | null;
  /** While CANCELLING: where the order goes back to when the cancel is refused. */
  readonly cancelFrom: OrderStatus | null;
  /** Why payment refused a cancel, which is for good: every later one is refused without asking. */
  readonly cancelRefusal: string | null;
}

/** What can happen to an order. */
export type OrderEvent =
  | { readonly type: 'released' }
  | { readonly type: 'paid' }
  | { readonly type: 'declined'; readonly reason: string }
  | { readonly type: 'paymentCancelled' }
  | { readonly type: 'deliveryStarted'; readonly deliveryId: string }
  | { readonly type: 'deliveryCompleted'; readonly deliveryId: string }
  | { readonly type: 'deliveryCancelled'; readonly deliveryId: string }
  | { readonly type: 'cancelRequested'; readonly reason: string | null }
  | { readonly type: 'cancelRefused'; readonly reason: string };

/** One change of status. */
export interface StatusChange {
  readonly status: OrderStatus;
  readonly previousStatus: OrderStatus | null;
  readonly version: number;
  readonly reason: string | null;
}

/** What an event does: new state and status changes, nothing because it already did, or nothing because it may not. */
export type Decision =
  | { readonly outcome: 'applied'; readonly state: OrderState; readonly changes: readonly StatusChange[] }
  | { readonly outcome: 'alreadyApplied' }
  | { readonly outcome: 'rejected'; readonly reason: string };

/** Which status may follow which. From CANCELLING an order goes back only to where it was. */
export const transitions: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  ON_HOLD: ['ORDERED', 'CANCELLING'],
  ORDERED: ['PAID', 'REJECTED', 'CANCELLING'],
  PAID: ['DELIVERING', 'CANCELLING'],
  DELIVERING: ['DELIVERED', 'CANCELLING'],
  CANCELLING: ['CANCELLED', 'ON_HOLD', 'ORDERED', 'PAID', 'DELIVERING'],
  DELIVERED: [],
  REJECTED: [],
  CANCELLED: [],
};

/** Whether nothing can happen to the order any more. */
export const hasEnded = (status: OrderStatus): boolean => transitions[status].length === 0;

/** A new order in its initial status. */
export function newOrder(status: 'ORDERED' | 'ON_HOLD'): { state: OrderState; changes: readonly StatusChange[] } {
  const state: OrderState = {
    status,
    version: 1,
    statusReason: null,
    paymentStatus: null,
    declineReason: null,
    deliveryId: null,
    deliveryStatus: null,
    cancelFrom: null,
    cancelRefusal: null,
  };
  return { state, changes: [{ status, previousStatus: null, version: 1, reason: null }] };
}

/** Decides what `event` does to an order in `state`. Total: every event in every state has one of the three outcomes. */
export function decide(state: OrderState, event: OrderEvent): Decision {
  switch (event.type) {
    case 'released':
      if (state.status === 'ON_HOLD') return applied(move(state, 'ORDERED', null));
      return state.status === 'CANCELLED' || state.status === 'CANCELLING'
        ? rejected('The order is being cancelled.')
        : alreadyApplied;
    case 'paid':
      if (state.paymentStatus !== null) return alreadyApplied;
      return applied(settle(unmoved({ ...state, paymentStatus: 'PAID' })));
    case 'declined':
      if (state.paymentStatus !== null) return alreadyApplied;
      return applied(settle(unmoved({ ...state, paymentStatus: 'DECLINED', declineReason: event.reason })));
    case 'paymentCancelled':
      if (state.paymentStatus === 'CANCELLED') return alreadyApplied;
      if (state.status !== 'CANCELLING')
        return rejected(`The payment was cancelled while the order is ${state.status}.`);
      return applied(settle(unmoved({ ...state, paymentStatus: 'CANCELLED' })));
    case 'deliveryStarted':
      if (state.deliveryStatus !== null) return alreadyApplied;
      return applied(settle(unmoved({ ...state, deliveryId: event.deliveryId, deliveryStatus: 'STARTED' })));
    case 'deliveryCompleted':
      if (state.deliveryStatus === 'COMPLETED') return alreadyApplied;
      if (state.deliveryStatus === 'CANCELLED') return rejected('The delivery was cancelled before.');
      return applied(settle(unmoved({ ...state, deliveryId: event.deliveryId, deliveryStatus: 'COMPLETED' })));
    case 'deliveryCancelled':
      if (state.deliveryStatus === 'CANCELLED') return alreadyApplied;
      if (state.deliveryStatus === 'COMPLETED') return rejected('The delivery was completed before.');
      return applied(unmoved({ ...state, deliveryId: event.deliveryId, deliveryStatus: 'CANCELLED' }));
    case 'cancelRequested':
      if (state.status === 'CANCELLING' || state.status === 'CANCELLED') return alreadyApplied;
      if (hasEnded(state.status)) return rejected(refusal[state.status] ?? 'The order has ended.');
      if (state.cancelRefusal !== null) return rejected(state.cancelRefusal);
      return applied(move({ ...state, cancelFrom: state.status }, 'CANCELLING', event.reason));
    case 'cancelRefused': {
      const { cancelFrom } = state;
      if (state.status !== 'CANCELLING' || cancelFrom === null) return alreadyApplied;
      return applied(
        settle(move({ ...state, cancelFrom: null, cancelRefusal: event.reason }, cancelFrom, event.reason)),
      );
    }
  }
}

const refusal: Partial<Record<OrderStatus, string>> = {
  DELIVERED: 'The order was delivered.',
  REJECTED: 'The order was rejected, and nothing was charged.',
};

interface Step {
  readonly state: OrderState;
  readonly changes: readonly StatusChange[];
}

const unmoved = (state: OrderState): Step => ({ state, changes: [] });
const applied = (step: Step): Decision => ({ outcome: 'applied', ...step });
const alreadyApplied: Decision = { outcome: 'alreadyApplied' };
const rejected = (reason: string): Decision => ({ outcome: 'rejected', reason });

/** One status change; throws when the table does not allow it, which is a mistake in this file. */
function move(state: OrderState, status: OrderStatus, reason: string | null): Step {
  if (!transitions[state.status].includes(status)) throw new Error(`${state.status} → ${status} is no transition`);
  const version = state.version + 1;
  return {
    state: { ...state, status, version, statusReason: reason },
    changes: [{ status, previousStatus: state.status, version, reason }],
  };
}

/**
 * Moves the order as far as the known facts carry it. Facts come from two streams and overtake each other; as they are kept, a
 * delivery that is known before its payment waits here, and one fact can lead to several status changes, each in its turn.
 */
function settle(step: Step): Step {
  const next = nextStatus(step.state);
  if (next === undefined) return step;
  const moved = move(step.state, next.status, next.reason);
  return settle({ state: moved.state, changes: [...step.changes, ...moved.changes] });
}

function nextStatus(state: OrderState): { status: OrderStatus; reason: string | null } | undefined {
  const { status, paymentStatus, deliveryStatus } = state;
  if (status === 'ORDERED' && paymentStatus === 'PAID') return { status: 'PAID', reason: null };
  if (status === 'ORDERED' && paymentStatus === 'DECLINED') return { status: 'REJECTED', reason: state.declineReason };
  if (status === 'PAID' && (deliveryStatus === 'STARTED' || deliveryStatus === 'COMPLETED')) {
    return { status: 'DELIVERING', reason: null };
  }
  if (status === 'DELIVERING' && deliveryStatus === 'COMPLETED') return { status: 'DELIVERED', reason: null };
  if (status === 'CANCELLING' && paymentStatus === 'CANCELLED')
    return { status: 'CANCELLED', reason: state.statusReason };
  return undefined;
}
