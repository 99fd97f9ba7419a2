// The delivery subgraph inside a test.
import { readSubgraphSdl } from '../schema/compose.ts';
import { serveCommand } from '../service/nats.ts';
import { consumers } from '../subgraphs/delivery/consumers.ts';
import { migrations } from '../subgraphs/delivery/migrations/index.ts';
import { DeliveryRow } from '../subgraphs/delivery/persistence.ts';
import { createContexts, createResolvers } from '../subgraphs/delivery/resolvers.ts';
import { cancelDelivery } from '../subgraphs/delivery/use-cases.ts';
import { startTestSubgraph } from './subgraph-testing.ts';
import type { TestSubgraph } from './subgraph-testing.ts';
import type { Infrastructure } from './testing.ts';

export const startTestDelivery = (infrastructure: Infrastructure): Promise<TestSubgraph> =>
  startTestSubgraph(infrastructure, {
    name: 'delivery',
    stream: 'DELIVERY',
    entities: [DeliveryRow],
    migrations,
    build: ({ database, broker, log }) => {
      const deps = { database, now: () => new Date() };
      return {
        sdl: readSubgraphSdl('delivery'),
        resolvers: createResolvers(deps),
        createContexts: createContexts(deps),
        consumers: consumers(deps),
        starters: [() => serveCommand(broker, 'delivery.cancel', log, (request) => cancelDelivery(deps, request))],
      };
    },
  });
