// One WebSocket: its identity, its operations, what it may buffer, and when it is closed.
import type { GraphQLFormattedError } from 'graphql';
import { MessageType, CloseCode } from 'graphql-ws';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { CodedError } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import type { ForwardedHeaders } from '../forwarded-headers.ts';
import { closeCodes } from './close-codes.ts';
import type { CloseReason } from './close-codes.ts';
import { pingFrame } from './websocket-frame.ts';
import { handleMessage } from './websocket-protocol.ts';
import type { WebSocketSink } from './websocket-sink.ts';
import type { ClientHost } from './client-host.ts';

/** Milliseconds before its token expires at which a client is reminded that it may bring a new one. */
const expiryNoticeMs = 30_000;

/** A WebSocket that knows what it is to the router, so that listeners are shared by all. */
export class LiveWebSocket extends WebSocket {
  connection: WebSocketConnection | undefined;
}

export class WebSocketConnection {
  readonly address: string | undefined;
  /** Headers of the upgrade that go on to subgraphs, for all of its operations. */
  readonly forwarded: ForwardedHeaders | undefined;
  readonly #ws: LiveWebSocket;
  /** Frames that are written whole may go to the stream itself: ws writes whole frames too, and compresses nothing here. */
  readonly #stream: Duplex;
  readonly #host: ClientHost;
  /** Operations that are open or starting, by the id that the client gave them. */
  readonly #sinks = new Map<string, WebSocketSink>();
  readonly #beatSlot: number;
  /** Runs until `connection_init` has come; null from then on, undefined when the viewer is known. */
  #initTimer: NodeJS.Timeout | null | undefined;
  #viewer: Viewer | undefined;
  #alive = true;
  #ended = false;
  #slowTimer: NodeJS.Timeout | undefined;

  /** @param address what its operations count for; undefined when addresses are not limited. */
  constructor(
    ws: LiveWebSocket,
    stream: Duplex,
    host: ClientHost,
    address: string | undefined,
    forwarded: ForwardedHeaders | undefined,
  ) {
    this.address = address;
    this.forwarded = forwarded;
    this.#ws = ws;
    this.#stream = stream;
    this.#host = host;
    ws.connection = this;
    ws.on('message', onMessage);
    ws.on('pong', onPong);
    ws.on('error', onError);
    ws.on('close', onClose);
    host.connections.add(this);
    host.metrics.connections.inc({ protocol: 'websocket' });
    this.#beatSlot = host.heartbeats.websocket.add(this);
    this.#initTimer = setTimeout(() => {
      this.close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout');
    }, host.limits.initTimeoutMs);
  }

  get viewer(): Viewer | undefined {
    return this.#viewer;
  }

  /** False while written bytes have not left; every subscription of the connection is resumed when they have. */
  get writable(): boolean {
    return this.#ended || !this.#stream.writableNeedDrain;
  }

  /** Whether operations may be started: `connection_init` was accepted. */
  get isReady(): boolean {
    return this.#initTimer === undefined && !this.#ended;
  }

  /** Returns false when `connection_init` had come before. */
  startInitialisation(): boolean {
    if (this.#initTimer === null || this.#initTimer === undefined) return false;
    clearTimeout(this.#initTimer);
    this.#initTimer = null;
    return true;
  }

  /** @throws CodedError CONNECTION_LIMIT */
  initialised(viewer: Viewer | undefined): void {
    if (this.#ended) return;
    this.#host.viewerConnections.take(viewer?.sub);
    this.#initTimer = undefined;
    this.#setViewer(viewer);
  }

  /** Another token of the same viewer. */
  refresh(viewer: Viewer): void {
    if (this.#ended) return;
    this.#setViewer(viewer);
    for (const sink of [...this.#sinks.values()]) sink.identify();
  }

  has(id: string): boolean {
    return this.#sinks.has(id);
  }

  /** @throws CodedError SUBSCRIPTION_LIMIT */
  add(id: string, sink: WebSocketSink): void {
    if (this.#sinks.size >= this.#host.limits.maxSubscriptionsPerConnection) throw new CodedError('SUBSCRIPTION_LIMIT');
    this.#host.viewerSubscriptions.take(this.#viewer?.sub);
    this.#sinks.set(id, sink);
  }

  /** Ends an operation without a word: the client has completed it. */
  remove(id: string): void {
    const sink = this.#sinks.get(id);
    if (sink === undefined) return;
    this.#forget(id);
    sink.leave();
  }

  /** The one result of a query or mutation, unless the client does not want it any more. */
  answer(id: string, sink: WebSocketSink, payload: object): void {
    if (this.#sinks.get(id) !== sink) return;
    this.#forget(id);
    this.send({ id, type: MessageType.Next, payload });
    this.send({ id, type: MessageType.Complete });
  }

  /** An operation could not be started. The errors are masked. */
  fail(id: string, sink: WebSocketSink, errors: readonly GraphQLFormattedError[]): void {
    if (sink.hasLeft) return;
    sink.leave();
    // One that was refused by a limit was never added.
    if (this.#sinks.get(id) === sink) this.#forget(id);
    this.send({ id, type: MessageType.Error, payload: errors });
  }

  /** The engine has ended a subscription. */
  ended(id: string, error: CodedError | undefined): void {
    this.#forget(id);
    if (error?.code === 'SUBSCRIPTION_SLOW_CONSUMER') this.close(error.code);
    else if (error === undefined) this.send({ id, type: MessageType.Complete });
    else this.send({ id, type: MessageType.Error, payload: [this.#host.maskError(error)] });
  }

  /** Writes one whole frame. */
  write(frame: Buffer): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    if (!this.#stream.write(frame)) this.#slow();
  }

  /** Sends one message of the protocol. */
  send(message: object): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    this.#ws.send(JSON.stringify(message));
    if (this.#stream.writableNeedDrain) this.#slow();
  }

  /** Ends every operation now, and the socket once the client has answered. By our reason, or by a code of the protocol. */
  close(code: CloseReason | number, reason = String(code)): void {
    if (this.#ended) return;
    const number = typeof code === 'number' ? code : closeCodes[code];
    this.#host.metrics.closes.inc({ code: String(number) });
    this.#ws.close(number, reason);
    // Its own word to close must be heard, also of one that was not read from.
    this.#ws.resume();
    this.end();
  }

  /** Handles one message; a fault of ours closes the connection. */
  receive(text: string): void {
    this.#alive = true;
    if (this.#ended) return;
    handleMessage(this, text, this.#host).catch((error: unknown) => {
      this.#host.log.error({ error }, 'a message could not be handled');
      this.close(CloseCode.InternalServerError, 'Internal server error');
    });
  }

  answered(): void {
    this.#alive = true;
  }

  /** The token has expired, or soon will. */
  expired(): void {
    const expiresAt = this.#viewer?.expiresAt ?? 0;
    if (expiresAt <= Date.now()) {
      this.close('TOKEN_EXPIRED');
      return;
    }
    this.#host.expiry.add(expiresAt, this);
    const payload = { code: 'TOKEN_EXPIRING', expiresAt: new Date(expiresAt).toISOString() };
    this.send({ type: MessageType.Ping, payload });
  }

  beat(): void {
    // A slow one is not heard meanwhile, and has a time of its own.
    if (this.#alive || this.#slowTimer !== undefined) {
      this.#alive = false;
      if (this.#ws.readyState === WebSocket.OPEN) this.#stream.write(pingFrame);
      return;
    }
    this.#host.metrics.closes.inc({ code: '1006' });
    this.#ws.terminate();
  }

  failed(error: unknown): void {
    this.#host.log.debug({ error }, 'a socket failed');
  }

  /** Gives back all that the connection holds. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { host, viewer } = { host: this.#host, viewer: this.#viewer };
    if (this.#initTimer !== null) clearTimeout(this.#initTimer);
    clearTimeout(this.#slowTimer);
    host.heartbeats.websocket.remove(this.#beatSlot, this);
    host.connections.delete(this);
    host.metrics.connections.dec({ protocol: 'websocket' });
    for (const id of [...this.#sinks.keys()]) this.remove(id);
    if (this.#initTimer === undefined) host.viewerConnections.giveBack(viewer?.sub);
    this.#unschedule();
  }

  #forget(id: string): void {
    if (this.#sinks.delete(id)) this.#host.viewerSubscriptions.giveBack(this.#viewer?.sub);
  }

  #setViewer(viewer: Viewer | undefined): void {
    this.#unschedule();
    this.#viewer = viewer;
    if (viewer === undefined) return;
    const noticeAt = viewer.expiresAt - expiryNoticeMs;
    this.#host.expiry.add(noticeAt > Date.now() ? noticeAt : viewer.expiresAt, this);
  }

  #unschedule(): void {
    if (this.#viewer === undefined) return;
    this.#host.expiry.remove(this.#viewer.expiresAt - expiryNoticeMs, this);
    this.#host.expiry.remove(this.#viewer.expiresAt, this);
  }

  #slow(): void {
    if (this.#slowTimer !== undefined || this.#ended) return;
    const { limits } = this.#host;
    if (this.#stream.writableLength > limits.maxBufferedBytes) {
      this.close('SUBSCRIPTION_SLOW_CONSUMER');
      return;
    }
    this.#slowTimer = setTimeout(() => this.close('SUBSCRIPTION_SLOW_CONSUMER'), limits.slowConsumerMs);
    // Whoever does not read is not read from: each question more would be one answer more to keep.
    this.#ws.pause();
    this.#stream.once('drain', () => {
      clearTimeout(this.#slowTimer);
      this.#slowTimer = undefined;
      this.#ws.resume();
      for (const sink of [...this.#sinks.values()]) sink.resume();
    });
  }
}

function onMessage(this: WebSocket, data: unknown): void {
  // One Buffer for each message, as ws gives it by default.
  connectionOf(this)?.receive((data as Buffer).toString());
}
function onPong(this: WebSocket): void {
  connectionOf(this)?.answered();
}
function onError(this: WebSocket, error: unknown): void {
  connectionOf(this)?.failed(error);
}
function onClose(this: WebSocket): void {
  connectionOf(this)?.end();
}
const connectionOf = (ws: WebSocket): WebSocketConnection | undefined => (ws as LiveWebSocket).connection;
