// The load: connections that each ask again as soon as they are answered. HTTP is read by hand, so that it costs little beside the gateway.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { requestsOf } from './graph.ts';

/** What to ask, of whom, for how long. */
export interface LoadOrder {
  readonly port: number;
  readonly operation: string;
  readonly milliseconds: number;
  readonly connections: number;
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
}

const headEnd = Buffer.from('\r\n\r\n');
const chunkedEnd = Buffer.from('\r\n0\r\n\r\n');

process.on('message', (order: LoadOrder) => {
  void run(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function run({ port, operation, milliseconds, connections }: LoadOrder): Promise<LoadResult> {
  const requests = requestsOf(operation);
  const latencies: number[] = [];
  const counts = { failed: 0, bytes: 0 };
  const startedAt = performance.now();
  const end = startedAt + milliseconds;
  let turn = 0;
  const next = (): Buffer | undefined => (performance.now() < end ? requests[turn++ % requests.length] : undefined);

  await Promise.all(
    Array.from({ length: connections }, () => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      return client(socket, next, (status, bytes, took) => {
        latencies.push(took);
        counts.bytes += bytes;
        if (status !== 200) counts.failed++;
      });
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { requests: latencies.length, seconds, p50: at(0.5), p99: at(0.99), ...counts };
}

/** One connection, until there is nothing more to ask. */
function client(
  socket: Socket,
  next: () => Buffer | undefined,
  told: (status: number, bytes: number, milliseconds: number) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let received: Buffer[] = [];
  let bytes = 0;
  let wanted: number | undefined;
  let status = 0;
  let askedAt = 0;
  const ask = (): void => {
    const request = next();
    if (request === undefined) {
      socket.end();
      return resolve();
    }
    received = [];
    bytes = 0;
    wanted = undefined;
    askedAt = performance.now();
    socket.write(request);
  };
  const isWhole = (chunk: Buffer): boolean => {
    if (wanted === undefined) {
      const head = received.length === 1 ? chunk : Buffer.concat(received);
      const at = head.indexOf(headEnd);
      if (at < 0) return false;
      const text = head.toString('latin1', 0, at);
      status = Number(text.slice(9, 12));
      const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
      wanted = length === undefined ? Infinity : at + headEnd.length + Number(length);
    }
    if (bytes >= wanted) return true;
    if (wanted !== Infinity) return false;
    const tail = chunk.length >= chunkedEnd.length ? chunk : Buffer.concat(received.slice(-2));
    return tail.subarray(-chunkedEnd.length).equals(chunkedEnd);
  };
  socket.on('data', (chunk) => {
    received.push(chunk);
    bytes += chunk.length;
    if (!isWhole(chunk)) return;
    told(status, bytes, performance.now() - askedAt);
    ask();
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('the gateway closed a connection')));
  socket.on('connect', ask);
  return promise;
}
