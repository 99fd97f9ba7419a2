// Puts the live engine together: the source on NATS, the batching fetch, the cursors and the figures.
import type { GraphQLFormattedError } from 'graphql';
import type { Logger } from '../../service/log.ts';
import type { Broker } from '../../service/nats.ts';
import type { Registry } from '../../service/telemetry.ts';
import type { SubgraphFetch } from '../executor/execute.ts';
import type { RequestContext } from '../subgraph-client.ts';
import { createCursorCodec } from './cursor.ts';
import { createLiveEngine } from './engine.ts';
import type { EngineLimits, LiveEngine } from './engine.ts';
import { batchEntities } from './hydrate.ts';
import { createLiveMetrics } from './live-metrics.ts';
import type { LiveMetrics } from './live-metrics.ts';
import { createNatsSource } from './nats-source.ts';

export interface LiveOptions {
  readonly broker: Broker;
  /** Asks the subgraphs of the present supergraph. */
  readonly fetch: SubgraphFetch<RequestContext>;
  /** HMAC keys of cursors, newest first. */
  readonly cursorSecrets: readonly string[];
  readonly maskError: (error: unknown) => GraphQLFormattedError;
  readonly log: Logger;
  readonly registry: Registry;
  readonly limits?: Partial<EngineLimits>;
}

/** One engine for all protocols. Close it after the protocols have drained, and before the broker. */
export function createLive(options: LiveOptions): { readonly engine: LiveEngine; readonly metrics: LiveMetrics } {
  const { broker, fetch, cursorSecrets, maskError, log, registry, limits = {} } = options;
  const metrics = createLiveMetrics(registry);
  const engine = createLiveEngine({
    source: createNatsSource(broker, log),
    fetch: batchEntities(fetch, metrics),
    cursors: createCursorCodec(cursorSecrets),
    maskError,
    log,
    metrics,
    limits,
  });
  return { engine, metrics };
}
