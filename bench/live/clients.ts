// Runs as a child: many light clients. Opens sockets and subscriptions on request, counts frames and keeps latencies.
import { clockMs, clockTextLength } from './processes.ts';
import { openRaw } from './raw-client.ts';
import type { RawClient } from './raw-client.ts';

export type ClientsRequest =
  | {
      readonly kind: 'open';
      readonly url: string;
      readonly sockets: readonly { readonly token: string; readonly orders: readonly string[] }[];
      readonly query: string;
    }
  /** Opens sockets that go again while their subscribe is under way; answers when all have gone. */
  | {
      readonly kind: 'leaveWhileSubscribing';
      readonly url: string;
      readonly sockets: readonly { readonly token: string; readonly orders: readonly string[] }[];
      readonly query: string;
    }
  | { readonly kind: 'openPlain'; readonly url: string; readonly count: number }
  /** Answers when `frames` more have come since the last such request or `reset`. */
  | { readonly kind: 'await'; readonly frames: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'latencies' }
  | { readonly kind: 'close' };

export interface OpenAnswer {
  readonly opened: number;
  readonly errors: number;
}

const clients: RawClient[] = [];
let frames = 0;
let latencies: number[] = [];
let errors = 0;
let wake: { readonly at: number; readonly resolve: () => void } | undefined;
const openAtATime = 100;

process.on('message', (request: ClientsRequest) => {
  void handle(request).then((answer) => process.send?.(answer ?? {}));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function handle(request: ClientsRequest): Promise<unknown> {
  switch (request.kind) {
    case 'open':
      for (let start = 0; start < request.sockets.length; start += openAtATime) {
        await Promise.all(
          request.sockets.slice(start, start + openAtATime).map((one) => subscribe(request.url, one, request.query)),
        );
      }
      return { opened: clients.length, errors } satisfies OpenAnswer;
    case 'leaveWhileSubscribing':
      for (let start = 0; start < request.sockets.length; start += openAtATime) {
        await Promise.all(
          request.sockets
            .slice(start, start + openAtATime)
            .map((one, index) => leave(request.url, one, request.query, index % 10)),
        );
      }
      return undefined;
    case 'openPlain':
      for (let start = 0; start < request.count; start += openAtATime) {
        const size = Math.min(openAtATime, request.count - start);
        const opened = await Promise.all(Array.from({ length: size }, () => openRaw(request.url, 'plain')));
        for (const client of opened) client.onMessage = count;
        clients.push(...opened);
      }
      return { opened: clients.length, errors } satisfies OpenAnswer;
    case 'await':
      if (frames < request.frames) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = { at: request.frames, resolve };
        await promise;
      }
      frames -= request.frames;
      return undefined;
    case 'reset':
      frames = 0;
      latencies = [];
      return undefined;
    case 'latencies':
      return { latencies, errors };
    case 'close':
      for (const client of clients) client.socket.destroy();
      clients.length = 0;
      return undefined;
  }
}

/** One socket and its subscriptions; resolves when each has its first result. */
async function subscribe(
  url: string,
  { token, orders }: { readonly token: string; readonly orders: readonly string[] },
  query: string,
): Promise<void> {
  const client = await openRaw(url, 'graphql-transport-ws');
  clients.push(client);
  const { promise, resolve } = Promise.withResolvers<void>();
  let first = orders.length;
  client.onMessage = (message) => {
    const text = message.toString('latin1');
    if (text.includes('"type":"connection_ack"')) {
      orders.forEach((orderId, index) => {
        const payload = { query, variables: { orderId } };
        client.send(JSON.stringify({ id: String(index), type: 'subscribe', payload }));
      });
    } else if (text.includes('"type":"error"')) {
      errors += 1;
      process.stderr.write(`${text}\n`);
    } else if (text.includes('"type":"next"')) {
      first -= 1;
      if (first === 0) {
        client.onMessage = count;
        resolve();
      }
    }
  };
  client.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  await promise;
}

/** One socket that goes `afterMs` after its subscribe was sent, whatever has come by then. */
async function leave(
  url: string,
  { token, orders }: { readonly token: string; readonly orders: readonly string[] },
  query: string,
  afterMs: number,
): Promise<void> {
  const client = await openRaw(url, 'graphql-transport-ws');
  const gone = new Promise<void>((resolve) => (client.onClose = () => resolve()));
  client.onMessage = (message) => {
    if (!message.includes('"type":"connection_ack"')) return;
    const payload = { query, variables: { orderId: orders[0] } };
    client.send(JSON.stringify({ id: '0', type: 'subscribe', payload }));
    setTimeout(() => client.socket.destroy(), afterMs);
  };
  client.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  await gone;
}

function count(message: Buffer): void {
  // Events of the latency runs carry when they were published.
  const at = message.indexOf('"reason":"t=');
  if (at >= 0) latencies.push(clockMs() - Number(message.toString('latin1', at + 12, at + 12 + clockTextLength)));
  frames += 1;
  if (wake !== undefined && frames >= wake.at) {
    const { resolve } = wake;
    wake = undefined;
    resolve();
  }
}
