// Puts the live side of the router together: source, engine, cursors and figures, and the three protocols in front.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Identity } from '../../service/identity.ts';
import type { Logger } from '../../service/log.ts';
import type { Broker } from '../../service/nats.ts';
import type { Registry } from '../../service/telemetry.ts';
import type { CheckCost } from '../cost-limit.ts';
import type { ErrorMask } from '../errors.ts';
import type { ForwardHeaders } from '../forwarded-headers.ts';
import type { ReportOperation } from '../graphql-http.ts';
import type { PrepareOperation } from '../operations.ts';
import type { PersistedOperations } from '../persisted-operations.ts';
import type { RateLimits } from '../rate-limits.ts';
import type { Supergraph } from '../supergraph.ts';
import type { Admission } from '../traffic/admission.ts';
import { createClientHost } from './client-host.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import { createCursorCodec } from './cursor.ts';
import { createLiveEngine } from './engine.ts';
import type { EngineLimits } from './engine.ts';
import { batchEntities } from './hydrate.ts';
import type { HydrationClient } from './hydrate.ts';
import { createLiveMetrics } from './live-metrics.ts';
import type { LiveMetrics } from './live-metrics.ts';
import { createNatsSource } from './nats-source.ts';
import { answerAsStream } from './stream.ts';
import type { VariableLimits } from '../variables.ts';
import { attachWebSocket } from './websocket.ts';

export interface LiveOptions {
  readonly broker: Broker;
  /** The present supergraph. */
  readonly supergraph: () => Supergraph;
  readonly prepare: PrepareOperation;
  readonly checkCost: CheckCost;
  readonly variableLimits: VariableLimits;
  /** Room for queries and mutations over a socket. */
  readonly admission: Admission;
  readonly rates: RateLimits;
  readonly persisted: PersistedOperations;
  readonly forward: ForwardHeaders;
  readonly report: ReportOperation;
  readonly identity: Identity;
  /** Asks the subgraphs. */
  readonly client: HydrationClient;
  /** HMAC keys of cursors, newest first. */
  readonly cursorSecrets: readonly string[];
  readonly maskError: ErrorMask;
  readonly log: Logger;
  readonly registry: Registry;
  readonly limits?: Partial<ConnectionLimits & EngineLimits>;
}

export interface Live {
  readonly metrics: LiveMetrics;
  /** Takes the WebSocket upgrades of a server; those for another path are refused. */
  attach(server: Server, path: string): void;
  /** Answers a GraphQL request as a stream, if it asks for one; returns whether it did. */
  answer(
    request: IncomingMessage,
    response: ServerResponse,
    params: Readonly<Record<string, unknown>> | undefined,
  ): Promise<boolean>;
  /** After `supergraph()` gives a new one: subscriptions that still fit go on, the others end with SUBSCRIPTION_SCHEMA_RELOAD. */
  reload(): void;
  /** How many subscriptions were opened so far. */
  opened(): number;
  /** Takes no new client and ends the others in waves, each told SHUTTING_DOWN. The broker stays open. */
  close(): Promise<void>;
}

export function createLive(options: LiveOptions): Live {
  const { broker, cursorSecrets, registry, client, limits = {}, ...shared } = options;
  const { maskError, log, supergraph, prepare } = options;
  const metrics = createLiveMetrics(registry);
  const engine = createLiveEngine({
    source: createNatsSource(broker, log),
    fetch: batchEntities(client, metrics),
    cursors: createCursorCodec(cursorSecrets),
    maskError,
    log,
    metrics,
    limits,
  });
  const host = createClientHost({ ...shared, fetch: client.fetch, engine, metrics, limits });
  return {
    metrics,
    attach: (server, path) => attachWebSocket(server, path, host),
    answer: (request, response, params) => answerAsStream(request, response, params, host),
    reload: () => engine.reload(supergraph(), prepare),
    opened: engine.opened,
    async close() {
      await host.close();
      engine.close();
    },
  };
}
