// The payment subgraph's process: `main.ts` serves, `main.ts migrate` prepares the database.
import { readSubgraphSdl } from '../../schema/compose.ts';
import type { Database } from '../../service/database.ts';
import { serveCommand } from '../../service/nats.ts';
import { runSubgraph } from '../../service/subgraph.ts';
import { readConfig } from './config.ts';
import { consumers } from './consumers.ts';
import { migrations } from './migrations/index.ts';
import { PaymentRow } from './persistence.ts';
import { createContexts, resolvers } from './resolvers.ts';
import { createSandboxProcessor, SandboxCharge } from './sandbox-processor.ts';
import { cancelPayment } from './use-cases.ts';

await runSubgraph({
  name: 'payment',
  stream: 'PAYMENT',
  readConfig,
  port: (config) => config.PAYMENT_PORT,
  databaseUrl: (config) => config.PAYMENT_DATABASE_URL,
  entities: [PaymentRow, SandboxCharge],
  migrations,
  build({ config, database, background, broker, log }) {
    const now = (): Date => new Date();
    const dependencies = (pool: Database) => {
      const processor = createSandboxProcessor({ database: pool, now, slowMs: config.SANDBOX_SLOW_MS });
      return { database: pool, broker, processor, now, log };
    };
    const deps = dependencies(database);
    return {
      sdl: readSubgraphSdl('payment'),
      resolvers,
      createContexts: createContexts(deps),
      consumers: consumers(dependencies(background)),
      starters: [() => serveCommand(broker, 'payment.cancel', log, (request) => cancelPayment(deps, request))],
    };
  },
});
