// What can be done with payments. The card processor and delivery are asked between transactions: first the wish is stored, then it
// is asked for with an idempotency key, then the outcome is stored. Dying anywhere in between is mended by asking again.
import { v7 as uuid } from 'uuid';
import type { CancelReply, CommandRequest, EventData, EventType } from '../../schema/events.ts';
import type { Incoming } from '../../service/consumer.ts';
import type { InboxMessage } from '../../service/database-transactions.ts';
import type { Database, EntityManager } from '../../service/database.ts';
import { CodedError } from '../../service/errors.ts';
import type { Logger } from '../../service/log.ts';
import { requestCommand } from '../../service/nats.ts';
import type { Broker } from '../../service/nats.ts';
import { stageEvent } from '../../service/outbox.ts';
import type { CardProcessor, ChargeResult } from './card-processor.ts';
import { cancelledBeforePlaced, decide, newPayment } from './payment.ts';
import type { PaymentEvent } from './payment.ts';
import { findPaymentOfOrder, insertFirstPayment, insertPayment, lockPaymentOfOrder } from './persistence.ts';
import type { PaymentRow } from './persistence.ts';

export interface PaymentDependencies {
  readonly database: Database;
  readonly broker: Broker;
  readonly processor: CardProcessor;
  readonly now: () => Date;
  readonly log: Logger;
}

/** Within the time that the order subgraph gives the whole chain. */
const deliveryReplyTimeoutMs = 1_000;

/** An order was placed: take its payment. Errors: CARD_PROCESSOR_UNAVAILABLE (the message is delivered again later). */
export async function takePayment(deps: PaymentDependencies, event: Incoming<'order.placed'>): Promise<void> {
  const { data, inbox } = event;
  const payment = await storeWishToCharge(deps, data);
  if (payment.state !== 'CHARGING') return announceAgain(deps, data.orderId, inbox);
  const result = await deps.processor.charge({
    idempotencyKey: payment.id,
    token: payment.paymentToken,
    amount: payment.amount,
    currency: payment.currency,
    orderId: payment.orderId,
  });
  await recordCharge(deps, payment.orderId, result, inbox);
}

/** Stores the wish before the processor is asked; gives what is known of an order that was here before. */
async function storeWishToCharge(deps: PaymentDependencies, data: Incoming<'order.placed'>['data']): Promise<Charge> {
  const { orderId, customerId, total, paymentToken, deliveryAddress } = data;
  const about = emptyPayment(deps, { orderId, customerId, amount: total });
  const wish = { ...newPayment(), ...about, paymentToken, deliveryAddress };
  const em = deps.database.read();
  if (await insertFirstPayment(em, wish)) return wish;
  const known = await findPaymentOfOrder(em, orderId);
  if (known === null) throw gone(orderId);
  return known;
}

/** What the card processor is told of a payment. */
type Charge = Pick<PaymentRow, 'id' | 'orderId' | 'state' | 'amount' | 'currency' | 'paymentToken'>;

const recordCharge = (
  deps: PaymentDependencies,
  orderId: string,
  result: ChargeResult,
  inbox: InboxMessage,
): Promise<void | undefined> =>
  deps.database.transaction(async (em) => {
    const payment = await lockExisting(em, orderId);
    if (!apply(payment, result.outcome)) return;
    if (result.outcome === 'approved') payment.paidAt = deps.now();
    else payment.declineReason = result.reason;
    announceCharge(em, payment, deps.now());
  }, inbox);

/** An order that was sent again, as it has not moved: what is decided is said again, for those who missed it. */
const announceAgain = (deps: PaymentDependencies, orderId: string, inbox: InboxMessage): Promise<void | undefined> =>
  deps.database.transaction(async (em) => announceCharge(em, await lockExisting(em, orderId), deps.now()), inbox);

function announceCharge(em: EntityManager, payment: PaymentRow, at: Date): void {
  const { orderId, customerId, id: paymentId, amount, currency, deliveryAddress, state } = payment;
  const about = { orderId, customerId, paymentId };
  if (state === 'PAID') {
    const paidAt = (payment.paidAt ?? at).toISOString();
    stage(em, payment, 'payment.paid', { ...about, amount: { amount, currency }, deliveryAddress, paidAt }, at);
  } else if (state === 'DECLINED') {
    const reason = payment.declineReason ?? 'declined';
    stage(em, payment, 'payment.declined', { ...about, reason, declinedAt: at.toISOString() }, at);
  }
}

/**
 * Cancels the payment of an order: delivery is asked first, then the money is returned. The answer is the same however often it is
 * asked; `pending` when delivery's word is not known yet.
 */
export async function cancelPayment(
  deps: PaymentDependencies,
  request: CommandRequest<'payment.cancel'>,
): Promise<CancelReply> {
  const { orderId, customerId, reason } = request;
  const payment = await storeWishToCancel(deps, request);
  if (payment.state === 'CANCELLED') return { outcome: 'cancelled' };
  if (payment.state !== 'CANCELLING') {
    return { outcome: 'refused', reason: payment.refusal ?? 'The payment was declined, so nothing was charged.' };
  }

  // A payment that was never announced as taken has no delivery that could have started.
  if (payment.cancelFrom === 'PAID') {
    let answer: CancelReply;
    try {
      const command = { orderId, customerId, reason };
      answer = await requestCommand(deps.broker, 'delivery.cancel', command, deliveryReplyTimeoutMs);
    } catch (error) {
      deps.log.warn({ error, orderId }, 'delivery did not answer a cancel; it will be asked again');
      return { outcome: 'pending' };
    }
    if (answer.outcome === 'pending') return answer;
    if (answer.outcome === 'refused') {
      const { reason: refusal } = answer;
      await change(deps, orderId, 'cancelRefused', (_em, kept) => (kept.refusal = refusal));
      return answer;
    }
  }

  await deps.processor.refund({ idempotencyKey: `refund-${payment.id}`, chargeKey: payment.id, orderId });
  await change(deps, orderId, 'refunded', (em, refunded, at) => announceCancelled(em, refunded, reason, at));
  return { outcome: 'cancelled' };
}

/** Moves to CANCELLING, or leaves a marker when the cancel has overtaken its order. */
const storeWishToCancel = (deps: PaymentDependencies, request: CommandRequest<'payment.cancel'>): Promise<PaymentRow> =>
  deps.database.transaction(async (em) => {
    const payment = await lockPaymentOfOrder(em, request.orderId);
    if (payment !== null) {
      apply(payment, 'cancelRequested');
      return payment;
    }
    const marker = insertPayment(em, { ...cancelledBeforePlaced(), ...emptyPayment(deps, request) });
    announceCancelled(em, marker, request.reason, deps.now());
    return marker;
  });

function announceCancelled(em: EntityManager, payment: PaymentRow, reason: string | null, at: Date): void {
  payment.cancelledAt = at;
  const { orderId, customerId, id: paymentId } = payment;
  stage(
    em,
    payment,
    'payment.cancelled',
    { orderId, customerId, paymentId, reason, cancelledAt: at.toISOString() },
    at,
  );
}

const emptyPayment = (
  deps: PaymentDependencies,
  about: { orderId: string; customerId: string; amount: { amount: number; currency: string } },
) => ({
  id: uuid(),
  orderId: about.orderId,
  customerId: about.customerId,
  amount: about.amount.amount,
  currency: about.amount.currency,
  paymentToken: null,
  deliveryAddress: null,
  declineReason: null,
  createdAt: deps.now(),
  paidAt: null,
  cancelledAt: null,
});

/** One event on a payment that must exist. */
const change = (
  deps: PaymentDependencies,
  orderId: string,
  event: PaymentEvent,
  afterwards: (em: EntityManager, payment: PaymentRow, at: Date) => void,
): Promise<void> =>
  deps.database.transaction(async (em) => {
    const payment = await lockExisting(em, orderId);
    if (apply(payment, event)) afterwards(em, payment, deps.now());
  });

async function lockExisting(em: EntityManager, orderId: string): Promise<PaymentRow> {
  const payment = await lockPaymentOfOrder(em, orderId);
  if (payment === null) throw gone(orderId);
  return payment;
}

const gone = (orderId: string): Error => new Error(`the payment of order ${orderId} is gone`);

/** Whether the event changed the payment. A rejected cancel leaves it as it is; any other rejection is a mistake of ours. */
function apply(payment: PaymentRow, event: PaymentEvent): boolean {
  const decision = decide(payment, event);
  if (decision.outcome === 'applied') {
    Object.assign(payment, decision.payment);
    return true;
  }
  if (decision.outcome === 'rejected' && event !== 'cancelRequested') {
    throw new CodedError('INTERNAL_SERVER_ERROR', undefined, {}, new Error(decision.reason));
  }
  return false;
}

function stage<Type extends EventType>(
  em: EntityManager,
  payment: PaymentRow,
  type: Type,
  data: EventData<Type>,
  at: Date,
): void {
  stageEvent(em, type, data, { source: 'payment', aggregateId: payment.orderId, version: payment.version, at });
}
