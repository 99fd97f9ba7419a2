// One WebSocket: its identity, its subscriptions, what it may buffer, and when it is closed. graphql-ws speaks the protocol over it.
import type { Duplex } from 'node:stream';
import type { WebSocket as ProtocolSocket } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Viewer } from '../../service/identity.ts';
import { closeCodes } from './close-codes.ts';
import type { CloseReason } from './close-codes.ts';
import type { WebSocketHost } from './websocket.ts';
import { pingFrame } from './websocket-frame.ts';
import type { WebSocketSink } from './websocket-sink.ts';

/** `readyState` of an open socket. */
const open = 1;

export class WebSocketConnection implements ProtocolSocket {
  readonly protocol: string;
  /** Operations that are running: subscriptions, queries and mutations. */
  operations = 0;
  readonly #ws: WebSocket;
  /** Frames that are written whole may go to the stream itself: ws writes whole frames too, and compresses nothing here. */
  readonly #stream: Duplex;
  readonly #host: WebSocketHost;
  readonly #sinks = new Map<string, WebSocketSink>();
  readonly #beatSlot: number;
  #viewer: Viewer | undefined;
  /** Told by graphql-ws what to do when the socket has closed; called once. */
  #closed: ((code?: number, reason?: string) => Promise<void>) | undefined;
  #alive = true;
  #slowTimer: NodeJS.Timeout | undefined;

  constructor(ws: WebSocket, stream: Duplex, host: WebSocketHost) {
    this.protocol = ws.protocol;
    this.#ws = ws;
    this.#stream = stream;
    this.#host = host;
    this.#beatSlot = host.heartbeat.add(this);
    host.connections.add(this);
    host.metrics.connections.inc({ protocol: 'websocket' });
    ws.on('pong', () => (this.#alive = true));
    ws.on('error', (error) => host.log.debug({ error }, 'a socket failed'));
    ws.once('close', (code, reason) => this.#end(code, String(reason)));
    this.#closed = host.protocol.opened(this, this);
  }

  get viewer(): Viewer | undefined {
    return this.#viewer;
  }

  /** False while written bytes have not left; every subscription of the connection is resumed when they have. */
  get writable(): boolean {
    return !this.#stream.writableNeedDrain || this.#closed === undefined;
  }

  /** Whether the connection is over, perhaps with its last bytes still on their way. */
  get isClosed(): boolean {
    return this.#closed === undefined;
  }

  /** @throws CodedError CONNECTION_LIMIT */
  identify(viewer: Viewer | undefined): void {
    if (this.#closed === undefined) return;
    this.#host.viewerConnections.take(viewer?.sub);
    this.#viewer = viewer;
    if (viewer !== undefined) this.#host.expiry.add(viewer.expiresAt, this);
  }

  /** Writes one whole frame. */
  write(frame: Buffer): void {
    if (this.#ws.readyState !== open) return;
    if (!this.#stream.write(frame)) this.#slow();
  }

  /** For graphql-ws: everything but the results of subscriptions. */
  send(data: string): void {
    if (this.#ws.readyState !== open) return;
    this.#ws.send(data);
    if (this.#stream.writableNeedDrain) this.#slow();
  }

  onMessage(handle: (data: string) => Promise<void>): void {
    // One Buffer for each message, as ws gives it by default.
    this.#ws.on('message', (data: Buffer) => {
      this.#alive = true;
      handle(data.toString()).catch((error: unknown) => {
        this.#host.log.error({ error }, 'a message could not be handled');
        this.close('INTERNAL_SERVER_ERROR');
      });
    });
  }

  add(id: string, sink: WebSocketSink): void {
    // A client that completed a subscription while it was starting may use the id again.
    this.#sinks.get(id)?.leave();
    this.#host.viewerSubscriptions.take(this.#viewer?.sub);
    this.#sinks.set(id, sink);
    this.operations += 1;
  }

  left(id: string, sink: WebSocketSink): void {
    if (this.#sinks.get(id) !== sink) return;
    this.#sinks.delete(id);
    this.operations -= 1;
    this.#host.viewerSubscriptions.giveBack(this.#viewer?.sub);
  }

  /** Ends every subscription now, and the socket once the client has answered. By reason, or by a code of the protocol. */
  close(code: CloseReason | 'INTERNAL_SERVER_ERROR' | number = 1000, reason?: string): void {
    const number = typeof code === 'number' ? code : code === 'INTERNAL_SERVER_ERROR' ? 4500 : closeCodes[code];
    const text = typeof code === 'number' ? reason : code;
    if (this.#closed !== undefined) this.#host.metrics.closes.inc({ code: String(number) });
    this.#ws.close(number, text);
    this.#end(number, text ?? '');
  }

  expired(): void {
    this.close('TOKEN_EXPIRED');
  }

  beat(): void {
    if (this.#alive) {
      this.#alive = false;
      if (this.#ws.readyState === open) this.#stream.write(pingFrame);
      return;
    }
    this.#host.metrics.closes.inc({ code: '1006' });
    this.#ws.terminate();
  }

  #slow(): void {
    if (this.#slowTimer !== undefined) return;
    const { limits } = this.#host;
    if (this.#stream.writableLength > limits.maxBufferedBytes) return this.close('SUBSCRIPTION_SLOW_CONSUMER');
    this.#slowTimer = setTimeout(() => this.close('SUBSCRIPTION_SLOW_CONSUMER'), limits.slowConsumerMs);
    this.#stream.once('drain', () => {
      clearTimeout(this.#slowTimer);
      this.#slowTimer = undefined;
      for (const sink of this.#sinks.values()) sink.resume();
    });
  }

  #end(code: number, reason: string): void {
    const closed = this.#closed;
    if (closed === undefined) return;
    this.#closed = undefined;
    clearTimeout(this.#slowTimer);
    const { host, viewer } = { host: this.#host, viewer: this.#viewer };
    host.heartbeat.remove(this.#beatSlot, this);
    host.connections.delete(this);
    host.metrics.connections.dec({ protocol: 'websocket' });
    if (viewer !== undefined) {
      host.viewerConnections.giveBack(viewer.sub);
      host.expiry.remove(viewer.expiresAt, this);
    }
    for (const sink of [...this.#sinks.values()]) sink.leave();
    closed(code, reason).catch((error: unknown) => host.log.error({ error }, 'a connection did not close cleanly'));
  }
}
