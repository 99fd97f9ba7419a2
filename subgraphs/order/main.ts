// The order subgraph's process: `main.ts` serves, `main.ts migrate` prepares the database and loads the sample menu.
import { readSubgraphSdl } from '../../schema/compose.ts';
import { runSubgraph } from '../../service/subgraph.ts';
import { readConfig } from './config.ts';
import { consumers } from './consumers.ts';
import { startDriver } from './driver.ts';
import { migrations } from './migrations/index.ts';
import { entities } from './persistence.ts';
import { createContexts, createResolvers } from './resolvers.ts';
import { loadSampleMenu } from './sample-menu.ts';

await runSubgraph({
  name: 'order',
  stream: 'ORDER',
  readConfig,
  port: (config) => config.ORDER_PORT,
  databaseUrl: (config) => config.ORDER_DATABASE_URL,
  entities,
  migrations,
  afterMigrate: ({ database, config }) => loadSampleMenu(database, config.SHOP_CURRENCY, new Date()),
  build({ config, database, background, broker, log, metrics }) {
    const deps = {
      database,
      broker,
      log,
      now: () => new Date(),
      initialStatus: config.ORDER_INITIAL_STATUS,
      currency: config.SHOP_CURRENCY,
      stuckAfterMs: config.STUCK_ORDER_AFTER_MS,
    };
    const inBackground = { ...deps, database: background };
    return {
      sdl: readSubgraphSdl('order'),
      resolvers: createResolvers(deps),
      createContexts: createContexts(deps),
      consumers: consumers(inBackground),
      starters: [() => startDriver(inBackground, metrics)],
    };
  },
});
