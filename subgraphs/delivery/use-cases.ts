// What can be done with deliveries: one transaction each.
import { v7 as uuid } from 'uuid';
import type { CancelReply, CommandRequest } from '../../schema/events.ts';
import type { Incoming } from '../../service/consumer.ts';
import type { Database, EntityManager } from '../../service/database.ts';
import { CodedError } from '../../service/errors.ts';
import { stageEvent } from '../../service/outbox.ts';
import { cancelledBeforePaid, decide, newDelivery } from './delivery.ts';
import { insertDelivery, lockDelivery, lockDeliveryOfOrder } from './persistence.ts';
import type { DeliveryRow } from './persistence.ts';

export interface DeliveryDependencies {
  readonly database: Database;
  readonly now: () => Date;
}

/** A payment was taken: the delivery is requested, and starts at once, unless a cancel was here first. */
export async function startDelivery(deps: DeliveryDependencies, event: Incoming<'payment.paid'>): Promise<void> {
  const { orderId, customerId, deliveryAddress } = event.data;
  await deps.database.transaction(async (em) => {
    const at = deps.now();
    const known = await lockDeliveryOfOrder(em, orderId);
    if (known !== null) {
      // A payment that was announced again, as its order has not moved: the start is said again, for those who missed it.
      if (known.status !== 'CANCELLED') announceStarted(em, known, at);
      return;
    }
    const delivery = insertDelivery(em, {
      ...newDelivery(),
      ...emptyDelivery(orderId, customerId),
      address: deliveryAddress,
      startedAt: at,
    });
    announceStarted(em, delivery, at);
    announceStatus(em, delivery, at);
  }, event.inbox);
}

/** The food was handed over. Completing twice is the same as once. Errors: NOT_FOUND, DELIVERY_NOT_COMPLETABLE. */
export const completeDelivery = (deps: DeliveryDependencies, deliveryId: string): Promise<DeliveryRow> =>
  deps.database.transaction(async (em) => {
    const delivery = await lockDelivery(em, deliveryId);
    if (delivery === null) throw new CodedError('NOT_FOUND');
    const decision = decide(delivery, 'completed');
    if (decision.outcome === 'rejected') throw new CodedError('DELIVERY_NOT_COMPLETABLE', decision.reason);
    if (decision.outcome === 'applied') {
      const at = deps.now();
      Object.assign(delivery, decision.delivery, { completedAt: at });
      const completedAt = at.toISOString();
      stageEvent(em, 'delivery.completed', { ...about(delivery), completedAt }, meta(delivery, at));
      announceStatus(em, delivery, at);
    }
    return delivery;
  });

/** Cancels the delivery of an order, or leaves a marker when the cancel has overtaken `payment.paid`. */
export const cancelDelivery = (
  deps: DeliveryDependencies,
  { orderId, customerId, reason }: CommandRequest<'delivery.cancel'>,
): Promise<CancelReply> =>
  deps.database.transaction(async (em) => {
    const at = deps.now();
    const known = await lockDeliveryOfOrder(em, orderId);
    const decision = known === null ? undefined : decide(known, 'cancelRequested');
    if (decision?.outcome === 'rejected') return { outcome: 'refused', reason: decision.reason };
    if (decision?.outcome === 'alreadyApplied') return { outcome: 'cancelled' };
    const delivery = known ?? insertDelivery(em, { ...cancelledBeforePaid(), ...emptyDelivery(orderId, customerId) });
    Object.assign(delivery, decision?.delivery, { cancelledAt: at });
    const cancelledAt = at.toISOString();
    stageEvent(em, 'delivery.cancelled', { ...about(delivery), reason, cancelledAt }, meta(delivery, at));
    announceStatus(em, delivery, at);
    return { outcome: 'cancelled' };
  });

const emptyDelivery = (orderId: string, customerId: string) => ({
  id: uuid(),
  orderId,
  customerId,
  address: null,
  startedAt: null,
  completedAt: null,
  cancelledAt: null,
});

const about = ({ id, orderId, customerId }: DeliveryRow) => ({ orderId, customerId, deliveryId: id });

const meta = ({ orderId, version }: DeliveryRow, at: Date) => ({
  source: 'delivery',
  aggregateId: orderId,
  version,
  at,
});

function announceStarted(em: EntityManager, delivery: DeliveryRow, at: Date): void {
  const startedAt = (delivery.startedAt ?? at).toISOString();
  stageEvent(em, 'delivery.started', { ...about(delivery), startedAt }, meta(delivery, at));
}

/** Tells watchers. */
function announceStatus(em: EntityManager, delivery: DeliveryRow, at: Date): void {
  const { id, status, version } = delivery;
  const data = { status, version, occurredAt: at.toISOString(), delivery: { id } };
  stageEvent(em, 'delivery.status', data, meta(delivery, at));
}
