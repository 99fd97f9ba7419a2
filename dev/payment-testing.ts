// The payment subgraph inside a test, on a database of either engine: what delivery answers, and what becomes of calls to the card processor, is the test's to say.
import { readSubgraphSdl } from '../schema/compose.ts';
import type { CancelReply, CommandRequest } from '../schema/events.ts';
import { createLog } from '../service/log.ts';
import { serveCommand } from '../service/nats.ts';
import { consumers } from '../subgraphs/payment/consumers.ts';
import { migrations } from '../subgraphs/payment/migrations/index.ts';
import { PaymentRow } from '../subgraphs/payment/persistence.ts';
import { createContexts, resolvers } from '../subgraphs/payment/resolvers.ts';
import { createSandboxProcessor, SandboxCharge } from '../subgraphs/payment/sandbox-processor.ts';
import { cancelPayment } from '../subgraphs/payment/use-cases.ts';
import { startTestSubgraph } from './subgraph-testing.ts';
import type { TestSubgraph } from './subgraph-testing.ts';
import type { Infrastructure } from './testing.ts';

export interface TestPayment extends TestSubgraph {
  readonly wire: {
    /** Delivery's answer to a cancel. */
    delivery: () => Promise<CancelReply>;
    /** Passed before, and after, each call reaches the card processor; a rejection loses it there. */
    wayThere: () => Promise<void>;
    wayBack: () => Promise<void>;
  };
  /** The cancels that delivery was asked for. */
  readonly asked: readonly CommandRequest<'delivery.cancel'>[];
  /** Delivery confirms, nothing is lost, nothing was asked. */
  reset(): void;
}

export async function startTestPayment(infrastructure: Infrastructure, databaseUrl: string): Promise<TestPayment> {
  const nothingLost: TestPayment['wire'] = {
    delivery: () => Promise.resolve({ outcome: 'cancelled' }),
    wayThere: () => Promise.resolve(),
    wayBack: () => Promise.resolve(),
  };
  const wire = { ...nothingLost };
  const asked: CommandRequest<'delivery.cancel'>[] = [];
  const overTheWire =
    <Request, Result>(call: (request: Request) => Promise<Result>) =>
    async (request: Request): Promise<Result> => {
      await wire.wayThere();
      const result = await call(request);
      await wire.wayBack();
      return result;
    };

  const payment = await startTestSubgraph(infrastructure, {
    name: 'payment',
    stream: 'PAYMENT',
    entities: [PaymentRow, SandboxCharge],
    migrations,
    databaseUrl,
    build: ({ database, broker, log }) => {
      const now = (): Date => new Date();
      const sandbox = createSandboxProcessor({ database, now, slowMs: 200 });
      const processor = { charge: overTheWire(sandbox.charge), refund: overTheWire(sandbox.refund) };
      const deps = { database, broker, processor, now, log };
      return {
        sdl: readSubgraphSdl('payment'),
        resolvers,
        createContexts: createContexts(deps),
        consumers: consumers(deps),
        starters: [() => serveCommand(broker, 'payment.cancel', log, (request) => cancelPayment(deps, request))],
      };
    },
  });
  const stopDelivery = serveCommand(payment.broker, 'delivery.cancel', createLog('delivery', 'silent'), (request) => {
    asked.push(request);
    return wire.delivery();
  });
  return {
    ...payment,
    wire,
    asked,
    reset() {
      Object.assign(wire, nothingLost);
      asked.length = 0;
    },
    async close() {
      await stopDelivery();
      await payment.close();
    },
  };
}
