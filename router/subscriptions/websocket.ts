// graphql-transport-ws on the router's HTTP server: takes upgrades.
import { handleProtocols } from 'graphql-ws';
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { CodedError } from '../../service/errors.ts';
import type { ClientHost } from './client-host.ts';
import { LiveWebSocket, WebSocketConnection } from './websocket-connection.ts';

/** Serves graphql-transport-ws at `path` of `server`. An upgrade for another path is refused. */
export function attachWebSocket(server: Server, path: string, host: ClientHost): void {
  const { limits } = host;
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.maxMessageBytes,
    WebSocket: LiveWebSocket,
    handleProtocols: (protocols) => handleProtocols(protocols),
  });

  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    stream.on('error', ignore);
    if (request.url?.split('?', 1)[0] !== path) return refuse(stream, 404);
    if (host.isForeign(request)) {
      const error = new CodedError('CROSS_SITE_REQUEST');
      return refuse(stream, 403, JSON.stringify({ errors: [host.maskError(error)] }));
    }
    try {
      host.checkRoom();
    } catch (error) {
      return refuse(stream, 503, JSON.stringify({ errors: [host.maskError(error)] }));
    }
    sockets.handleUpgrade(request, stream, head, (ws) => {
      // What graphql-ws answers to a client of another protocol.
      if (ws.protocol === '') ws.close(4406, 'Subprotocol not acceptable');
      else new WebSocketConnection(ws, stream, host, host.rates.addressOf(request), host.forward(request.headers));
    });
  });
}

/** A socket that fails is closed; ws tells the connection. */
const ignore = (): void => undefined;

function refuse(stream: Duplex, status: number, body = ''): void {
  const head = [
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}`,
    'connection: close',
    'content-type: application/json; charset=utf-8',
    `content-length: ${String(Buffer.byteLength(body))}`,
  ];
  stream.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
