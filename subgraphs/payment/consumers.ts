// What the payment subgraph hears: placed orders.
import type { ConsumerDefinition } from '../../service/consumer.ts';
import { takePayment } from './use-cases.ts';
import type { PaymentDependencies } from './use-cases.ts';

export const consumers = (deps: PaymentDependencies): readonly ConsumerDefinition[] => [
  {
    stream: 'ORDER',
    durable: 'payment-order',
    filter: 'order.placed.*',
    on: { 'order.placed': (event) => takePayment(deps, event) },
  },
];
