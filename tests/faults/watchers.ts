// Watchers: they keep sockets at the router through everything that happens, and go on from their last cursor.
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { OrderStatus } from '../../schema/events.ts';
import type { OrderFact } from './snapshot.ts';
import type { SeenEvent, WatcherRecord } from './watcher-rules.ts';

export interface Watcher extends WatcherRecord {
  readonly events: SeenEvent[];
  /**
   * From the last event before the watcher was told to start anew (its cursor is of a stream that is no more), to the first one
   * after. The first ends with its first event.
   */
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
  /** How often it connected, and why its last connection ended: a code, or what the socket says. */
  readonly connections: number;
  readonly lastEnd: string | undefined;
  stop(): Promise<void>;
}

export interface WatcherOptions {
  readonly name: string;
  readonly websocketUrl: string;
  readonly token: () => Promise<string>;
  /** `allOrderStatusChanged` or `myOrderStatusChanged`. */
  readonly field: 'allOrderStatusChanged' | 'myOrderStatusChanged';
  readonly watches: (order: OrderFact) => boolean;
}

interface StatusEvent {
  readonly cursor: string;
  readonly status: OrderStatus;
  readonly version: number;
  readonly occurredAt: string;
  readonly order: { readonly id: string };
}

/** Watches until stopped. */
export function startWatcher({ name, websocketUrl, token, field, watches }: WatcherOptions): Watcher {
  const query = `subscription Watch($after: String) {
    ${field}(after: $after) { cursor status version occurredAt order { id } }
  }`;
  const events: SeenEvent[] = [];
  const gaps = [{ from: 0, to: Number.POSITIVE_INFINITY }];
  const stopping = new AbortController();
  let cursor: string | undefined;
  let lastEventAt = Date.now();
  let connections = 0;
  let lastEnd: string | undefined;

  const watchOnce = async (): Promise<void> => {
    const client = createClient({
      url: websocketUrl,
      webSocketImpl: WebSocket,
      connectionParams: async () => ({ authorization: `Bearer ${await token()}` }),
      retryAttempts: 0,
      lazy: true,
      lazyCloseTimeout: 0,
      // Notices a router that is stopped: it answers no ping.
      keepAlive: 2_000,
      connectionAckWaitTimeout: 5_000,
      on: {
        connected: () => {
          connections += 1;
        },
        ping: (received) => {
          if (received) return;
          clearTimeout(pongTimer);
          pongTimer = setTimeout(() => client.terminate(), 5_000);
        },
        pong: (received) => {
          if (received) clearTimeout(pongTimer);
        },
      },
    });
    let pongTimer: NodeJS.Timeout | undefined;
    const end = (): void => void client.dispose();
    stopping.signal.addEventListener('abort', end);
    try {
      const results = client.iterate<Record<string, StatusEvent>>({ query, variables: { after: cursor ?? null } });
      for await (const { data, errors, extensions } of results) {
        const event = data?.[field];
        if (errors !== undefined || event === undefined) {
          noteErrors(errors);
          return;
        }
        const { code, skipped } = (extensions ?? {}) as { readonly code?: string; readonly skipped?: number };
        if (code === 'REPLAY_TOO_LONG') openGap();
        const gap = gaps.at(-1);
        if (gap?.to === Number.POSITIVE_INFINITY) gap.to = Date.now();
        cursor = event.cursor;
        lastEventAt = Date.parse(event.occurredAt);
        events.push({
          orderId: event.order.id,
          version: event.version,
          status: event.status,
          epoch: gaps.length,
          skipped: skipped ?? 0,
          at: new Date().toISOString(),
          connection: connections,
        });
      }
      lastEnd = 'complete';
    } catch (error) {
      lastEnd = error instanceof Error ? error.message : `closed with ${String((error as CloseEvent).code)}`;
      noteErrors(Array.isArray(error) ? (error as readonly GraphQLFailure[]) : undefined);
    } finally {
      clearTimeout(pongTimer);
      stopping.signal.removeEventListener('abort', end);
      await client.dispose();
    }
  };

  const noteErrors = (errors: readonly GraphQLFailure[] | undefined): void => {
    if (errors !== undefined) lastEnd = errors.map(({ extensions }) => String(extensions?.['code'])).join();
    if (!errors?.some(({ extensions }) => extensions?.['code'] === 'CURSOR_EXPIRED')) return;
    openGap();
    cursor = undefined;
  };
  const openGap = (): void => {
    if (gaps.at(-1)?.to !== Number.POSITIVE_INFINITY) gaps.push({ from: lastEventAt, to: Number.POSITIVE_INFINITY });
  };

  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await watchOnce();
      await pause(200, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();

  return {
    name,
    watches,
    events,
    gaps,
    get connections() {
      return connections;
    },
    get lastEnd() {
      return lastEnd;
    },
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}

interface GraphQLFailure {
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}
