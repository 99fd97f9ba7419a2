// The messages between processes: the one table of event types (stream, subject, payload) and commands (request, reply).
// Compatibility rule: only add optional fields; a breaking change is a new type.
import { z } from 'zod';
import { subjectToken } from './subject.ts';

const id = z.string().min(1).max(200);
const dateTime = z.iso.datetime();
const money = z.object({
  /** Minor units. */
  amount: z.int().min(0).max(2_147_483_647),
  /** ISO 4217. */
  currency: z.string().regex(/^[A-Z]{3}$/),
});
const reason = z.string().max(1000).nullable();
/** Who an event is about; every fact carries both, so that each subgraph can enforce ownership by itself. */
const order = { orderId: id, customerId: id };

export const orderStatuses = [
  'ON_HOLD',
  'ORDERED',
  'PAID',
  'DELIVERING',
  'DELIVERED',
  'REJECTED',
  'CANCELLING',
  'CANCELLED',
] as const;
export const paymentStatuses = ['PAID', 'DECLINED', 'CANCELLED'] as const;
export const deliveryStatuses = ['STARTED', 'COMPLETED', 'CANCELLED'] as const;
export type OrderStatus = (typeof orderStatuses)[number];
export type PaymentStatus = (typeof paymentStatuses)[number];
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/**
 * The streams, by the service that owns them. Facts have an id behind their two-part name and commands have none, so
 * `order.*.>` holds every fact and never a command (a stream that covered `payment.cancel` would answer the request
 * itself, with an acknowledgement). `republish` lets the router watch with plain subscriptions.
 */
export const streams = {
  ORDER: { subjects: ['order.*.>'], republish: { src: 'order.status.>', dest: 'live.order.status.>' } },
  PAYMENT: { subjects: ['payment.*.>'], republish: undefined },
  DELIVERY: { subjects: ['delivery.*.>'], republish: { src: 'delivery.status.>', dest: 'live.delivery.status.>' } },
  DEAD_LETTER: { subjects: ['dead-letter.>'], republish: undefined },
} as const;
export type StreamName = keyof typeof streams;

interface EventDefinition<Schema extends z.ZodType> {
  readonly stream: StreamName;
  readonly subject: (data: z.infer<Schema>) => string;
  readonly data: Schema;
}
const event = <Schema extends z.ZodType>(definition: EventDefinition<Schema>): EventDefinition<Schema> => definition;
/** A fact: `<aggregate>.<past tense>.<orderId>`. */
const fact = <Shape extends z.ZodRawShape>(stream: StreamName, name: string, shape: Shape) =>
  event({
    stream,
    subject: (data) => `${name}.${subjectToken((data as { orderId: string }).orderId)}`,
    data: z.object({ ...order, ...shape }),
  });

/** Every event type: where it is published and what its JSON payload holds. */
export const events = {
  'order.placed': fact('ORDER', 'order.placed', {
    total: money,
    paymentToken: z.string().nullable(),
    deliveryAddress: z.string().nullable(),
    placedAt: dateTime,
  }),
  'order.cancelled': fact('ORDER', 'order.cancelled', { reason, cancelledAt: dateTime }),
  'payment.paid': fact('PAYMENT', 'payment.paid', {
    paymentId: id,
    amount: money,
    deliveryAddress: z.string().nullable(),
    paidAt: dateTime,
  }),
  'payment.declined': fact('PAYMENT', 'payment.declined', { paymentId: id, reason: z.string(), declinedAt: dateTime }),
  'payment.cancelled': fact('PAYMENT', 'payment.cancelled', { paymentId: id, reason, cancelledAt: dateTime }),
  'delivery.started': fact('DELIVERY', 'delivery.started', { deliveryId: id, startedAt: dateTime }),
  'delivery.completed': fact('DELIVERY', 'delivery.completed', { deliveryId: id, completedAt: dateTime }),
  'delivery.cancelled': fact('DELIVERY', 'delivery.cancelled', { deliveryId: id, reason, cancelledAt: dateTime }),
  /** For watchers; the payload is the JSON of `OrderStatusEvent` in events.graphql. */
  'order.status': event({
    stream: 'ORDER',
    subject: (data) => `order.status.${subjectToken(data.order.customerId)}.${subjectToken(data.order.id)}`,
    data: z.object({
      status: z.enum(orderStatuses),
      previousStatus: z.enum(orderStatuses).nullable(),
      version: z.int().min(1),
      reason,
      occurredAt: dateTime,
      order: z.object({ id, customerId: id }),
    }),
  }),
  /** For watchers; the payload is the JSON of `DeliveryStatusEvent` in events.graphql. */
  'delivery.status': event({
    stream: 'DELIVERY',
    subject: (data) => `delivery.status.${subjectToken(data.delivery.id)}`,
    data: z.object({
      status: z.enum(deliveryStatuses),
      version: z.int().min(1),
      occurredAt: dateTime,
      delivery: z.object({ id }),
    }),
  }),
} as const;

export type EventType = keyof typeof events;
export type EventData<Type extends EventType> = z.infer<(typeof events)[Type]['data']>;

/** The answer to a cancel command. Both outcomes are final and the same however often the command is repeated. */
const cancelReply = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('cancelled') }),
  z.object({ outcome: z.literal('refused'), reason: z.string() }),
  /** Asked, but not decided yet: ask again. */
  z.object({ outcome: z.literal('pending') }),
]);
export type CancelReply = z.infer<typeof cancelReply>;

/** Commands by NATS request/reply: the subject is the name. Idempotent by order id; no answer means unknown. */
export const commands = {
  'payment.cancel': { request: z.object({ ...order, amount: money, reason }), reply: cancelReply },
  'delivery.cancel': { request: z.object({ ...order, reason }), reply: cancelReply },
} as const;
export type CommandName = keyof typeof commands;
export type CommandRequest<Name extends CommandName> = z.infer<(typeof commands)[Name]['request']>;
export type CommandReply<Name extends CommandName> = z.infer<(typeof commands)[Name]['reply']>;
