// Runs as a child that is stopped with SIGSTOP: one socket with many subscriptions to one order, which then resumes with its last cursor.
import { setTimeout as pause } from 'node:timers/promises';
import { openRaw } from './raw-client.ts';
import type { RawClient } from './raw-client.ts';

export type FrozenRequest =
  | { readonly kind: 'open'; readonly url: string; readonly token: string; readonly orderId: string }
  /** After it runs again: waits for the close, resumes, and reads on up to a version. */
  | { readonly kind: 'resume'; readonly until: number };

export interface FrozenAnswer {
  readonly closeCode: number;
  readonly closeReason: string;
  /** Results of the first subscription before the close and after it. */
  readonly before: number;
  readonly resumed: number;
  /** Whether each version was seen once and in order. */
  readonly gapless: boolean;
}

/** As many as one connection may have: what fills its buffers. */
const subscriptions = 100;
const query =
  'subscription ($orderId: ID!, $after: String) { orderStatusChanged(orderId: $orderId, after: $after) { cursor version reason } }';

let opened: { readonly url: string; readonly token: string; readonly orderId: string } | undefined;
/** The one that has resumed; it goes when the next is opened. */
let client: RawClient | undefined;
const versions: number[] = [];
let cursor: string | undefined;
let closed: Promise<{ readonly code: number; readonly reason: string }> | undefined;
let onVersion: (version: number) => void = () => undefined;

process.on('message', (request: FrozenRequest) => {
  void (request.kind === 'open' ? open(request) : resume(request.until)).then((answer) => process.send?.(answer ?? {}));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function open(target: typeof opened): Promise<undefined> {
  opened = target;
  client?.socket.destroy();
  versions.length = 0;
  cursor = undefined;
  const first = await connect(subscriptions);
  closed = new Promise((resolve) => (first.onClose = (code, reason) => resolve({ code, reason })));
  await reached(1);
}

async function resume(until: number): Promise<FrozenAnswer> {
  // Code 0: it was not closed although it has long read what waited for it.
  const { code, reason } = (await Promise.race([closed, pause(10_000)])) ?? { code: 0, reason: '' };
  const before = versions.length;
  client = await connect(1);
  await reached(until);
  const gapless = versions.every((version, index) => index === 0 || version === (versions[index - 1] ?? 0) + 1);
  return { closeCode: code, closeReason: reason, before, resumed: versions.length - before, gapless };
}

async function connect(count: number): Promise<RawClient> {
  if (opened === undefined) throw new Error('open comes first');
  const { url, token, orderId } = opened;
  const connected = await openRaw(url, 'graphql-transport-ws');
  connected.onMessage = (bytes) => {
    const message = JSON.parse(bytes.toString()) as {
      type: string;
      id?: string;
      payload?: { data?: { orderStatusChanged: { cursor: string; version: number } } };
    };
    if (message.type === 'connection_ack') {
      for (let id = 0; id < count; id += 1) {
        const payload = { query, variables: { orderId, after: cursor } };
        connected.send(JSON.stringify({ id: String(id), type: 'subscribe', payload }));
      }
    }
    const event = message.id === '0' ? message.payload?.data?.orderStatusChanged : undefined;
    if (event === undefined) return;
    versions.push(event.version);
    ({ cursor } = event);
    onVersion(event.version);
  };
  connected.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  return connected;
}

async function reached(version: number): Promise<void> {
  if ((versions.at(-1) ?? 0) >= version) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  onVersion = (seen) => {
    if (seen >= version) resolve();
  };
  await promise;
}
