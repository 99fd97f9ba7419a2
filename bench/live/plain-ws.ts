// Runs as a child: a plain `ws` server that broadcasts the same bytes to all. The limit that the router is compared with.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

export type PlainRequest = { readonly kind: 'url' } | { readonly kind: 'broadcast'; readonly bytes: string };

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket) => socket.on('message', () => undefined));

process.on('message', (request: PlainRequest) => {
  if (request.kind === 'broadcast') for (const socket of sockets.clients) socket.send(request.bytes);
  process.send?.(`ws://127.0.0.1:${String((server.address() as AddressInfo).port)}/`);
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send?.('ready'));
