// The delivery subgraph's process: `main.ts` serves, `main.ts migrate` prepares the database.
import { readSubgraphSdl } from '../../schema/compose.ts';
import { serveCommand } from '../../service/nats.ts';
import { runSubgraph } from '../../service/subgraph.ts';
import { readConfig } from './config.ts';
import { consumers } from './consumers.ts';
import { migrations } from './migrations/index.ts';
import { DeliveryRow } from './persistence.ts';
import { createContexts, createResolvers } from './resolvers.ts';
import { cancelDelivery } from './use-cases.ts';

await runSubgraph({
  name: 'delivery',
  stream: 'DELIVERY',
  readConfig,
  port: (config) => config.DELIVERY_PORT,
  databaseUrl: (config) => config.DELIVERY_DATABASE_URL,
  entities: [DeliveryRow],
  migrations,
  build({ database, background, broker, log }) {
    const deps = { database, now: () => new Date() };
    return {
      sdl: readSubgraphSdl('delivery'),
      resolvers: createResolvers(deps),
      createContexts: createContexts(deps),
      consumers: consumers({ ...deps, database: background }),
      starters: [() => serveCommand(broker, 'delivery.cancel', log, (request) => cancelDelivery(deps, request))],
    };
  },
});
