// Puts the live side of the router together: source, engine, cursors and figures, and the three protocols in front.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { CodedError } from '../../service/errors.ts';
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
import type { EngineLimits, LiveEngine } from './engine.ts';
import { batchEntities } from './hydrate.ts';
import type { HydrationClient } from './hydrate.ts';
import { createLiveMetrics } from './live-metrics.ts';
import type { LiveMetrics } from './live-metrics.ts';
import { createNatsSource } from './nats-source.ts';
import { streamFormatOf } from './stream-format.ts';
import { answerAsStream } from './stream.ts';
import type { VariableLimits } from '../variables.ts';
import { attachWebSocket } from './websocket.ts';

export interface LiveOptions {
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
  readonly isForeign: (request: Pick<IncomingMessage, 'headers'>) => boolean;
  readonly report: ReportOperation;
  readonly identity: Identity;
  /** Asks the subgraphs. */
  readonly client: HydrationClient;
  readonly maskError: ErrorMask;
  readonly log: Logger;
  readonly registry: Registry;
  readonly limits?: Partial<ConnectionLimits & EngineLimits>;
}

export interface Live {
  readonly metrics: LiveMetrics;
  /** Takes the WebSocket upgrades of a server; those for another path are refused. */
  attach(server: Server, path: string): void;
  /**
   * Takes events from a broker from now on; called once. Before, queries and mutations are answered, and subscriptions refused.
   * @param cursorSecrets HMAC keys of cursors, newest first.
   */
  connect(broker: Broker, cursorSecrets: readonly string[]): void;
  /** Answers a GraphQL request as a stream, if it asks for one; gives whether it did, or undefined when it asks for none. */
  answer(
    request: IncomingMessage,
    response: ServerResponse,
    params: Readonly<Record<string, unknown>> | undefined,
  ): Promise<boolean> | undefined;
  /** After `supergraph()` gives a new one: subscriptions that still fit go on, the others end with SUBSCRIPTION_SCHEMA_RELOAD. */
  reload(): void;
  /** How many subscriptions were opened so far. */
  opened(): number;
  /** Takes no new client and ends the others in waves, each told SHUTTING_DOWN. The broker stays open. */
  close(): Promise<void>;
}

export function createLive(options: LiveOptions): Live {
  const { registry, client, limits = {}, ...shared } = options;
  const { maskError, log, supergraph, prepare } = options;
  const metrics = createLiveMetrics(registry);
  let engine: LiveEngine | undefined;
  const subscribe: LiveEngine['subscribe'] = (request) =>
    engine === undefined
      ? Promise.reject(new CodedError('BAD_REQUEST', 'No events come for the subscriptions of this graph.'))
      : engine.subscribe(request);
  const host = createClientHost({ ...shared, fetch: client.fetch, engine: { subscribe }, metrics, limits });
  return {
    metrics,
    attach: (server, path) => attachWebSocket(server, path, host),
    connect(broker, cursorSecrets) {
      engine = createLiveEngine({
        source: createNatsSource(broker, log),
        fetch: batchEntities(client, metrics),
        cursors: createCursorCodec(cursorSecrets),
        maskError,
        log,
        metrics,
        limits,
      });
    },
    answer(request, response, params) {
      const format = streamFormatOf(request.headers.accept);
      return format && answerAsStream(request, response, format, params, host);
    },
    reload: () => engine?.reload(supergraph(), prepare),
    opened: () => engine?.opened() ?? 0,
    async close() {
      await host.close();
      engine?.close();
    },
  };
}
