// What the order subgraph hears: facts of payment and delivery, each into one use case.
import type { ConsumerDefinition } from '../../service/consumer.ts';
import { noteFact } from './use-cases.ts';
import type { OrderDependencies } from './use-cases.ts';

export const consumers = (deps: OrderDependencies): readonly ConsumerDefinition[] => [
  {
    stream: 'PAYMENT',
    durable: 'order-payment',
    on: {
      'payment.paid': ({ data, inbox }) => noteFact(deps, data.orderId, { type: 'paid' }, inbox),
      'payment.declined': ({ data, inbox }) =>
        noteFact(deps, data.orderId, { type: 'declined', reason: data.reason }, inbox),
      'payment.cancelled': ({ data, inbox }) => noteFact(deps, data.orderId, { type: 'paymentCancelled' }, inbox),
    },
  },
  {
    stream: 'DELIVERY',
    durable: 'order-delivery',
    on: {
      'delivery.started': ({ data: { orderId, deliveryId }, inbox }) =>
        noteFact(deps, orderId, { type: 'deliveryStarted', deliveryId }, inbox),
      'delivery.completed': ({ data: { orderId, deliveryId }, inbox }) =>
        noteFact(deps, orderId, { type: 'deliveryCompleted', deliveryId }, inbox),
      'delivery.cancelled': ({ data: { orderId, deliveryId }, inbox }) =>
        noteFact(deps, orderId, { type: 'deliveryCancelled', deliveryId }, inbox),
    },
  },
];
