// Runs as a child: a subgraph that serves `orderStatusChanged` itself, over server-sent events, as gateways need it that forward
// subscriptions. It hears the same messages of the broker as the router, and writes one text for all watchers of an order.
import { connect } from 'nats';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { OrderStatus } from './bench.ts';

export type SubgraphRequest = { readonly kind: 'url' } | { readonly kind: 'cut' };

const watchers = new Map<string, Set<ServerResponse>>();
const present = new Map<string, string>();
const nats = await connect({ servers: process.argv[2] ?? '', maxReconnectAttempts: -1, reconnectTimeWait: 50 });
nats.subscribe('live.order.status.>', {
  callback: (error, message) => {
    if (error !== null) throw error;
    const { status, version, reason, order } = message.json<OrderStatus>();
    const event = { __typename: 'OrderStatusEvent', status, version, reason };
    const frame = `event: next\ndata: ${JSON.stringify({ data: { orderStatusChanged: event } })}\n\n`;
    present.set(order.id, frame);
    for (const response of watchers.get(order.id) ?? []) response.write(frame);
  },
});
await nats.flush();

const server = createServer((request, response) => {
  void (async () => {
    // A subscription is a GET with its operation in the address.
    const { searchParams } = new URL(request.url ?? '', 'http://localhost');
    await text(request);
    if (searchParams.get('query')?.startsWith('subscription') !== true)
      return response.end('{"data":{"__typename":"Query"}}');
    const { orderId } = JSON.parse(searchParams.get('variables') ?? '{}') as { orderId: string };
    const others = watchers.get(orderId) ?? new Set();
    watchers.set(orderId, others.add(response));
    response.on('close', () => others.delete(response));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return response.write(present.get(orderId) ?? ':\n\n');
  })();
});

process.on('message', (request: SubgraphRequest) => {
  if (request.kind === 'cut') server.closeAllConnections();
  process.send?.(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/graphql`);
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send?.('ready'));
