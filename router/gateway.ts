// Puts our executor behind Apollo Server: ApolloGateway owns the life of the supergraph, and we answer in its place.
import type { GatewayExecutor, GatewayInterface } from '@apollo/server-gateway-interface';
import { ApolloGateway } from '@apollo/gateway';
import type { SupergraphSdlUpdateFunction } from '@apollo/gateway';
import type { Logger } from '../service/log.ts';
import { disableApolloTelemetry } from './config.ts';
import type { Supergraph } from './supergraph.ts';

/** The gateway for Apollo Server, and the supergraph that is in force. */
export interface RouterGateway {
  readonly gateway: GatewayInterface;
  /** The snapshot that new operations take. */
  supergraph(): Supergraph;
  /** Puts another supergraph in force; the present one stays when ApolloGateway refuses the next. @throws Error saying why */
  replace(next: Supergraph): void;
}

export function createGateway(initial: Supergraph, executor: GatewayExecutor, log: Logger): RouterGateway {
  // By default @apollo/gateway reports to its maker.
  disableApolloTelemetry();
  let current = initial;
  let update: SupergraphSdlUpdateFunction | undefined;
  const apolloGateway = new ApolloGateway({
    logger: apolloLogger(log),
    supergraphSdl: (options) => {
      update = options.update;
      return Promise.resolve({ supergraphSdl: current.plannerSdl });
    },
  });

  return {
    gateway: {
      async load(options) {
        await apolloGateway.load(options);
        return { executor };
      },
      onSchemaLoadOrUpdate: (callback) => apolloGateway.onSchemaLoadOrUpdate(callback),
      stop: () => apolloGateway.stop(),
    },
    supergraph: () => current,
    replace(next) {
      update?.(next.plannerSdl);
      current = next;
    },
  };
}

/** What Apollo's packages log through. They say "info" where we would say "debug". */
export function apolloLogger(log: Logger): Record<'debug' | 'info' | 'warn' | 'error', (message?: unknown) => void> {
  return {
    debug: (message) => log.trace({ from: 'apollo' }, String(message)),
    info: (message) => log.debug({ from: 'apollo' }, String(message)),
    warn: (message) => log.warn({ from: 'apollo' }, String(message)),
    error: (message) => log.error({ from: 'apollo' }, String(message)),
  };
}
