// The payment subgraph inside a test, on a database of either engine, with a delivery that answers as the test says.
import { readSubgraphSdl } from '../schema/compose.ts';
import type { CancelReply, EventData } from '../schema/events.ts';
import { serveCommand } from '../service/nats.ts';
import { consumers } from '../subgraphs/payment/consumers.ts';
import { migrations } from '../subgraphs/payment/migrations/index.ts';
import { PaymentRow } from '../subgraphs/payment/persistence.ts';
import { createContext, resolvers } from '../subgraphs/payment/resolvers.ts';
import { createSandboxProcessor, SandboxCharge } from '../subgraphs/payment/sandbox-processor.ts';
import { cancelPayment } from '../subgraphs/payment/use-cases.ts';
import { startTestSubgraph } from './subgraph-testing.ts';
import type { TestSubgraph } from './subgraph-testing.ts';
import type { Infrastructure } from './testing.ts';

export interface TestPayment extends TestSubgraph {
  /** What delivery says to a cancel; a test may change it. */
  readonly delivery: { answer: CancelReply };
  /** Asks for a cancel as the order subgraph does. */
  cancel(orderId: string, reason?: string): Promise<CancelReply>;
}

/** `alone`: without a delivery to answer. */
export async function startTestPayment(
  infrastructure: Infrastructure,
  databaseUrl: string,
  { alone = false }: { readonly alone?: boolean } = {},
): Promise<TestPayment> {
  const delivery: TestPayment['delivery'] = { answer: { outcome: 'cancelled' } };
  let cancel: TestPayment['cancel'] | undefined;
  const payment = await startTestSubgraph(infrastructure, {
    name: 'payment',
    stream: 'PAYMENT',
    entities: [PaymentRow, SandboxCharge],
    migrations,
    databaseUrl,
    build: ({ database, broker, log }) => {
      const now = (): Date => new Date();
      const processor = createSandboxProcessor({ database, now, slowMs: 50 });
      const deps = { database, broker, processor, now, log };
      const amount = { amount: 9_000, currency: 'KRW' };
      cancel = (orderId, reason) =>
        cancelPayment(deps, { orderId, customerId: 'alice', amount, reason: reason ?? null });
      return {
        sdl: readSubgraphSdl('payment'),
        resolvers,
        createContext: createContext(deps),
        consumers: consumers(deps),
        background: [
          () => serveCommand(broker, 'payment.cancel', log, (request) => cancelPayment(deps, request)),
          ...(alone ? [] : [() => serveCommand(broker, 'delivery.cancel', log, async () => delivery.answer)]),
        ],
      };
    },
  });
  if (cancel === undefined) throw new Error('the subgraph was not built');
  return Object.assign(payment, { delivery, cancel });
}

/** An order as the order subgraph places it. */
export const placedOrder = (
  orderId: string,
  more: Partial<EventData<'order.placed'>> = {},
): EventData<'order.placed'> => ({
  orderId,
  customerId: 'alice',
  total: { amount: 9_000, currency: 'KRW' },
  paymentToken: null,
  deliveryAddress: '서울시 종로구 1',
  placedAt: new Date().toISOString(),
  ...more,
});
