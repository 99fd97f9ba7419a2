// graphql-transport-ws on the router's HTTP server: graphql-ws keeps the protocol, the engine writes the results of subscriptions.
import { GraphQLError } from 'graphql';
import type { ExecutionArgs } from 'graphql';
import { handleProtocols, makeServer } from 'graphql-ws';
import type { Server as Protocol, SubscribePayload } from 'graphql-ws';
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { CodedError, codeOf } from '../../service/errors.ts';
import type { Logger } from '../../service/log.ts';
import { runOperation } from '../execution.ts';
import type { CompiledOperation } from '../executor/operation.ts';
import { closeInWaves } from './close-in-waves.ts';
import { defaultConnectionLimits, ViewerCounts } from './connection-limits.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import { createExpirySchedule } from './expiry.ts';
import type { ExpirySchedule } from './expiry.ts';
import { createHeartbeat } from './heartbeat.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { LiveMetrics } from './live-metrics.ts';
import { admit } from './live-operation.ts';
import type { LiveDeps } from './live-operation.ts';
import { WebSocketConnection } from './websocket-connection.ts';
import { WebSocketSink } from './websocket-sink.ts';

/** What all connections share. */
export interface WebSocketHost {
  readonly protocol: Protocol<WebSocketConnection>;
  readonly connections: Set<WebSocketConnection>;
  readonly viewerConnections: ViewerCounts;
  readonly viewerSubscriptions: ViewerCounts;
  readonly expiry: ExpirySchedule;
  readonly heartbeat: Heartbeat;
  readonly limits: ConnectionLimits;
  readonly metrics: LiveMetrics;
  readonly log: Logger;
}

/** What `onSubscribe` leaves for graphql-ws to run. */
type Run =
  | { readonly sink: WebSocketSink }
  | {
      readonly operation: CompiledOperation;
      readonly variables: Readonly<Record<string, unknown>>;
      readonly connection: WebSocketConnection;
    };

/**
 * Serves graphql-transport-ws at `path` of `server`. An upgrade for another path is refused.
 * `close` refuses new sockets at once, closes the open ones in waves with SHUTTING_DOWN and resolves when all are gone.
 */
export function attachWebSocket(server: Server, path: string, deps: LiveDeps): { close(): Promise<void> } {
  const limits = { ...defaultConnectionLimits, ...deps.limits };
  const { log, metrics } = deps;
  const host: WebSocketHost = {
    protocol: createProtocol(deps, limits),
    connections: new Set(),
    viewerConnections: new ViewerCounts(limits.maxConnectionsPerViewer, 'CONNECTION_LIMIT'),
    viewerSubscriptions: new ViewerCounts(limits.maxSubscriptionsPerViewer, 'SUBSCRIPTION_LIMIT'),
    expiry: createExpirySchedule(),
    heartbeat: createHeartbeat(limits.pingIntervalMs),
    limits,
    metrics,
    log,
  };
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.maxMessageBytes,
    handleProtocols: (protocols) => handleProtocols(protocols),
  });
  let closing = false;

  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    stream.on('error', (error) => log.debug({ error }, 'a socket failed'));
    if (request.url?.split('?', 1)[0] !== path) return refuse(stream, 404);
    if (closing || host.connections.size >= limits.maxConnections) return refuse(stream, 503);
    sockets.handleUpgrade(request, stream, head, (ws) => {
      if (closing) ws.close(1012, 'SHUTTING_DOWN');
      else new WebSocketConnection(ws, stream, host);
    });
  };
  server.on('upgrade', upgrade);

  return {
    async close() {
      closing = true;
      await closeInWaves([...host.connections], limits.drainMs, (connection) => connection.close('SHUTTING_DOWN'));
      sockets.close();
      host.heartbeat.close();
      host.expiry.close();
    },
  };
}

function createProtocol(deps: LiveDeps, limits: ConnectionLimits): Protocol<WebSocketConnection> {
  return makeServer<Record<string, unknown> | undefined, WebSocketConnection>({
    connectionInitWaitTimeout: limits.initTimeoutMs,

    async onConnect({ connectionParams, extra: connection }) {
      try {
        connection.identify(await deps.verify(authorizationOf(connectionParams)));
        return true;
      } catch (error) {
        const code = codeOf(error);
        if (code === 'UNAUTHENTICATED' || code === 'CONNECTION_LIMIT') connection.close(code);
        else connection.close('SERVICE_UNAVAILABLE');
        return false;
      }
    },

    async onSubscribe({ extra: connection }, id, payload) {
      if (connection.operations >= limits.maxSubscriptionsPerConnection) return [new CodedError('SUBSCRIPTION_LIMIT')];
      const admitted = admit(deps, payload as Parameters<typeof admit>[1], connection.viewer);
      if (!admitted.ok) return admitted.errors;
      const { operation, variables } = admitted;
      if (operation.kind !== 'subscription') return executionArgs(operation, { operation, variables, connection });

      const sink = new WebSocketSink(connection, id);
      try {
        connection.add(id, sink);
        await deps.engine.subscribe({ operation, variables, viewer: connection.viewer, sink });
      } catch (error) {
        sink.leave();
        if (codeOf(error) === 'INTERNAL_SERVER_ERROR') deps.log.error({ error }, 'a subscription could not be opened');
        return [error instanceof GraphQLError ? error : new CodedError('INTERNAL_SERVER_ERROR', undefined, {}, error)];
      }
      forget(payload);
      return executionArgs(operation, { sink });
    },

    subscribe: ({ contextValue }) => (contextValue as Extract<Run, { sink: unknown }>).sink,

    // Queries and mutations: the same pipeline as over HTTP.
    async execute({ contextValue }) {
      const { operation, variables, connection } = contextValue as Extract<Run, { operation: unknown }>;
      connection.operations += 1;
      try {
        return await runOperation(operation, variables, deps.fetch, { viewer: connection.viewer });
      } finally {
        connection.operations -= 1;
      }
    },

    onNext: (_context, _id, _payload, _args, { data, errors, extensions }) => ({
      ...(errors === undefined ? {} : { errors: errors.map(deps.maskError) }),
      ...(data === undefined ? {} : { data }),
      ...(extensions === undefined ? {} : { extensions }),
    }),
    onError: (_context, _id, _payload, errors) => errors.map(deps.maskError),
  });

  function executionArgs({ supergraph, document, name }: CompiledOperation, run: Run): ExecutionArgs {
    return { schema: supergraph.schema, document, operationName: name, contextValue: run };
  }
}

/** The `authorization` of `connection_init`, in any letter case. */
function authorizationOf(params: Readonly<Record<string, unknown>> | undefined): string | undefined {
  for (const [name, value] of Object.entries(params ?? {})) {
    if (name.toLowerCase() !== 'authorization') continue;
    if (typeof value !== 'string') throw new CodedError('UNAUTHENTICATED');
    return value;
  }
  return undefined;
}

/** graphql-ws keeps the message as long as the subscription lives; its text is not needed any more. */
function forget(payload: SubscribePayload): void {
  Object.assign(payload, { query: '', variables: undefined });
}

function refuse(stream: Duplex, status: number): void {
  stream.end(
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
  );
}
