// What one connection, one viewer and all clients together may hold open.
import { CodedError } from '../../service/errors.ts';

export interface ConnectionLimits {
  /** Connections in all. */
  readonly maxConnections: number;
  readonly maxConnectionsPerViewer: number;
  /** Operations that one connection has open at a time. */
  readonly maxSubscriptionsPerConnection: number;
  readonly maxSubscriptionsPerViewer: number;
  /** Milliseconds that a new socket has for `connection_init`. */
  readonly initTimeoutMs: number;
  /** Milliseconds between two pings; a connection that has not answered the last one by then is dropped. */
  readonly pingIntervalMs: number;
  /** Milliseconds between two heartbeats of a multipart stream, and of one over SSE. */
  readonly multipartHeartbeatMs: number;
  readonly sseHeartbeatMs: number;
  /** Milliseconds for which a connection may keep written bytes from leaving. */
  readonly slowConsumerMs: number;
  /** Bytes that may wait for one connection. */
  readonly maxBufferedBytes: number;
  /** Bytes of one message from a client. */
  readonly maxMessageBytes: number;
  /** Milliseconds over which the connections are closed when the router goes down. */
  readonly drainMs: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  maxConnections: 50_000,
  maxConnectionsPerViewer: 100,
  maxSubscriptionsPerConnection: 100,
  maxSubscriptionsPerViewer: 1_000,
  initTimeoutMs: 10_000,
  pingIntervalMs: 30_000,
  multipartHeartbeatMs: 5_000,
  sseHeartbeatMs: 12_000,
  slowConsumerMs: 15_000,
  maxBufferedBytes: 1_048_576,
  maxMessageBytes: 131_072,
  drainMs: 3_000,
};

/** Counts what each viewer holds open. Viewers without a token share one count by connection only. */
export class ViewerCounts {
  readonly #counts = new Map<string, number>();
  readonly #limit: number;
  readonly #code: 'CONNECTION_LIMIT' | 'SUBSCRIPTION_LIMIT';

  constructor(limit: number, code: 'CONNECTION_LIMIT' | 'SUBSCRIPTION_LIMIT') {
    this.#limit = limit;
    this.#code = code;
  }

  /** @throws CodedError when the viewer has as many as allowed. */
  take(viewer: string | undefined): void {
    if (viewer === undefined) return;
    const count = this.#counts.get(viewer) ?? 0;
    if (count >= this.#limit) throw new CodedError(this.#code);
    this.#counts.set(viewer, count + 1);
  }

  giveBack(viewer: string | undefined): void {
    if (viewer === undefined) return;
    const count = (this.#counts.get(viewer) ?? 0) - 1;
    if (count <= 0) this.#counts.delete(viewer);
    else this.#counts.set(viewer, count);
  }
}
