// What the delivery subgraph hears: payments that were taken.
import type { ConsumerDefinition } from '../../service/consumer.ts';
import { startDelivery } from './use-cases.ts';
import type { DeliveryDependencies } from './use-cases.ts';

export const consumers = (deps: DeliveryDependencies): readonly ConsumerDefinition[] => [
  {
    stream: 'PAYMENT',
    durable: 'delivery-payment',
    filter: 'payment.paid.*',
    on: { 'payment.paid': (event) => startDelivery(deps, event) },
  },
];
