// graphql-transport-ws on the router's HTTP server: upgrades, what all connections share, and the drain.
import { handleProtocols } from 'graphql-ws';
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { closeInWaves } from './close-in-waves.ts';
import { defaultConnectionLimits, ViewerCounts } from './connection-limits.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import { createExpirySchedule } from './expiry.ts';
import type { ExpirySchedule } from './expiry.ts';
import { createHeartbeat } from './heartbeat.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { LiveDeps } from './live-operation.ts';
import { LiveWebSocket, WebSocketConnection } from './websocket-connection.ts';

/** What all connections share. */
export interface WebSocketHost extends LiveDeps {
  readonly connections: Set<WebSocketConnection>;
  readonly viewerConnections: ViewerCounts;
  readonly viewerSubscriptions: ViewerCounts;
  readonly expiry: ExpirySchedule;
  readonly heartbeat: Heartbeat;
  readonly limits: ConnectionLimits;
}

/**
 * Serves graphql-transport-ws at `path` of `server`. An upgrade for another path is refused.
 * `close` refuses new sockets at once, closes the open ones in waves with SHUTTING_DOWN and resolves when all were told.
 */
export function attachWebSocket(server: Server, path: string, deps: LiveDeps): { close(): Promise<void> } {
  const limits = { ...defaultConnectionLimits, ...deps.limits };
  const host: WebSocketHost = {
    ...deps,
    limits,
    connections: new Set(),
    viewerConnections: new ViewerCounts(limits.maxConnectionsPerViewer, 'CONNECTION_LIMIT'),
    viewerSubscriptions: new ViewerCounts(limits.maxSubscriptionsPerViewer, 'SUBSCRIPTION_LIMIT'),
    expiry: createExpirySchedule(),
    heartbeat: createHeartbeat(limits.pingIntervalMs),
  };
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.maxMessageBytes,
    WebSocket: LiveWebSocket,
    handleProtocols: (protocols) => handleProtocols(protocols),
  });
  let closing = false;

  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    stream.on('error', ignore);
    if (request.url?.split('?', 1)[0] !== path) return refuse(stream, 404);
    if (closing || host.connections.size >= limits.maxConnections) return refuse(stream, 503);
    sockets.handleUpgrade(request, stream, head, (ws) => {
      // What graphql-ws answers to a client of another protocol.
      if (ws.protocol === '') ws.close(4406, 'Subprotocol not acceptable');
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

/** A socket that fails is closed; ws tells the connection. */
const ignore = (): void => undefined;

function refuse(stream: Duplex, status: number): void {
  stream.end(
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
  );
}
