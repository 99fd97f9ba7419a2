// Runs as a child: a subgraph that serves `orderStatusChanged` itself, over server-sent events and graphql-transport-ws, as gateways need it
// that forward subscriptions. It hears the same messages of the broker as the router, and writes one text for all watchers of an order.
import { connect } from 'nats';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { OrderStatus } from './bench.ts';

export type SubgraphRequest = { readonly kind: 'url' } | { readonly kind: 'cut' };

/** Takes one result as JSON. */
type Watcher = (payload: string) => void;

const watchers = new Map<string, Set<Watcher>>();
const present = new Map<string, string>();
const nats = await connect({ servers: process.argv[2] ?? '', maxReconnectAttempts: -1, reconnectTimeWait: 50 });
nats.subscribe('live.order.status.>', {
  callback: (error, message) => {
    if (error !== null) throw error;
    const { status, version, reason, order } = message.json<OrderStatus>();
    const event = { __typename: 'OrderStatusEvent', status, version, reason };
    const payload = JSON.stringify({ data: { orderStatusChanged: event } });
    present.set(order.id, payload);
    for (const watcher of watchers.get(order.id) ?? []) watcher(payload);
  },
});
await nats.flush();

/** Gives the present status and then each change; returns how to stop. */
function watch(orderId: string, watcher: Watcher): () => void {
  const others = watchers.get(orderId) ?? new Set();
  watchers.set(orderId, others.add(watcher));
  const now = present.get(orderId);
  if (now !== undefined) watcher(now);
  return () => others.delete(watcher);
}

const server = createServer((request, response) => {
  void (async () => {
    // A subscription is a GET with its operation in the address.
    const { searchParams } = new URL(request.url ?? '', 'http://localhost');
    await text(request);
    if (searchParams.get('query')?.startsWith('subscription') !== true) {
      response.end('{"data":{"__typename":"Query"}}');
      return;
    }
    const { orderId } = JSON.parse(searchParams.get('variables') ?? '{}') as { orderId: string };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.on(
      'close',
      watch(orderId, (payload) => response.write(`event: next\ndata: ${payload}\n\n`)),
    );
  })();
});

const sockets = new WebSocketServer({ server });
sockets.on('connection', (socket: WebSocket) => {
  const stops = new Map<string, () => void>();
  socket.on('message', (bytes: Buffer) => {
    const message = JSON.parse(bytes.toString()) as {
      type: string;
      id: string;
      payload: { variables: { orderId: string } };
    };
    if (message.type === 'connection_init') socket.send('{"type":"connection_ack"}');
    else if (message.type === 'ping') socket.send('{"type":"pong"}');
    else if (message.type === 'complete') stops.get(message.id)?.();
    else if (message.type === 'subscribe') {
      const { id, payload } = message;
      const send: Watcher = (result) => socket.send(`{"id":"${id}","type":"next","payload":${result}}`);
      stops.set(id, watch(payload.variables.orderId, send));
    }
  });
  socket.on('close', () => stops.forEach((stop) => stop()));
});

process.on('message', (request: SubgraphRequest) => {
  if (request.kind === 'cut') {
    server.closeAllConnections();
    for (const socket of sockets.clients) socket.terminate();
  }
  process.send?.(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/graphql`);
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send?.('ready'));
