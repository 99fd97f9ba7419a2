// Orders at a steady rate against a running stack, and when a watcher saw each one move. Open loop: a slow answer delays no other.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { Pool } from 'undici';
import { WebSocket } from 'ws';
import type { Stack } from '../../dev/stack.ts';

/** Times in milliseconds since the epoch, with fractions where this process measured them. */
export interface OrderTimes {
  readonly askedAt: number;
  /** When `placeOrder` was answered; absent when it failed. */
  acceptedAt?: number;
  /** When an event was written, by status, as it says itself. */
  readonly happenedAt: Map<string, number>;
  /** When the watcher received it. */
  readonly seenAt: Map<string, number>;
}

export interface Load {
  /** Places orders for a while and gives the times of each; the watcher goes on. */
  place(perSecond: number, seconds: number): Promise<OrderTimes[]>;
  /** Waits until the watcher saw `status` of all, `timeoutMs` at most; gives how many it did not see. */
  seen(orders: readonly OrderTimes[], status: string, timeoutMs: number): Promise<number>;
  close(): Promise<void>;
}

const menuId = '0190a000-0000-7000-8000-000000000001';
const mutation = 'mutation Place($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id } } }';
const subscription = 'subscription { allOrderStatusChanged { status occurredAt order { id } } }';

const now = (): number => performance.timeOrigin + performance.now();

export async function startLoad(stack: Stack): Promise<Load> {
  const token = await stack.issuer.token({ sub: 'bench', scope: 'orders:read:all', expiresInSeconds: 36_000 });
  const authorization = `Bearer ${token}`;
  const pool = new Pool(new URL(stack.graphqlUrl).origin, { connections: 64, pipelining: 1 });
  const orders = new Map<string, OrderTimes>();
  /** Events that were here before the answer that tells which order they are of. */
  const early = new Map<string, { status: string; happened: number; seen: number }[]>();

  const note = (id: string, status: string, happened: number, seen: number): void => {
    const order = orders.get(id);
    if (order === undefined) {
      early.set(id, [...(early.get(id) ?? []), { status, happened, seen }]);
      return;
    }
    order.happenedAt.set(status, happened);
    order.seenAt.set(status, seen);
  };

  const client = createClient({
    url: stack.websocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    lazy: false,
    retryAttempts: 0,
  });
  const watching = (async () => {
    const events = client.iterate<{
      allOrderStatusChanged: { status: string; occurredAt: string; order: { id: string } };
    }>({ query: subscription });
    for await (const { data } of events) {
      if (!data) continue;
      const { status, occurredAt, order } = data.allOrderStatusChanged;
      note(order.id, status, Date.parse(occurredAt), now());
    }
  })().catch(() => undefined);

  const placeOne = async (): Promise<OrderTimes> => {
    const times: OrderTimes = { askedAt: now(), happenedAt: new Map(), seenAt: new Map() };
    const input = { items: [{ menuId, quantity: 1 }], idempotencyKey: randomUUID() };
    try {
      const { body } = await pool.request({
        path: '/graphql',
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: JSON.stringify({ query: mutation, variables: { input } }),
      });
      const answer = (await body.json()) as { data?: { placeOrder: { order: { id: string } } } | null };
      const id = answer.data?.placeOrder.order.id;
      if (id === undefined) return times;
      times.acceptedAt = now();
      orders.set(id, times);
      for (const { status, happened, seen } of early.get(id) ?? []) note(id, status, happened, seen);
      early.delete(id);
    } catch {
      // An order without an answer counts as failed.
    }
    return times;
  };

  return {
    async place(perSecond, seconds) {
      const startedAt = performance.now();
      const placing: Promise<OrderTimes>[] = [];
      for (let index = 0; index < perSecond * seconds; index += 1) {
        const dueMs = (index * 1_000) / perSecond - (performance.now() - startedAt);
        if (dueMs > 1) await pause(dueMs);
        placing.push(placeOne());
      }
      return Promise.all(placing);
    },
    async seen(list, status, timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      const accepted = list.filter(({ acceptedAt }) => acceptedAt !== undefined);
      for (;;) {
        const left = accepted.filter(({ seenAt }) => !seenAt.has(status)).length;
        if (left === 0 || performance.now() > deadline) return left;
        await pause(50);
      }
    },
    async close() {
      await client.dispose();
      await watching;
      await pool.close();
    },
  };
}

/** p50, p95 and p99 of numbers, rounded to tenths. */
export function percentiles(numbers: readonly number[]): { p50: number; p95: number; p99: number } {
  const sorted = numbers.toSorted((one, other) => one - other);
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 10) / 10;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
