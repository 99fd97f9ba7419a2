// One operation on one streaming HTTP response: to the engine a sink, to the client a response that goes on.
import type { ServerResponse } from 'node:http';
import { CodedError } from '../../service/errors.ts';
import type { ErrorCode } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import type { ForwardedHeaders } from '../forwarded-headers.ts';
import type { ClientHost } from './client-host.ts';
import type { Payload } from './payload.ts';
import type { StreamFormat } from './stream-format.ts';
import type { LiveSubscription, Sink } from './subscriber.ts';

/** Milliseconds that a response which was ended by the router has to reach its client. */
const lastBytesMs = 30_000;

export class StreamSink implements Sink {
  readonly viewer: Viewer | undefined;
  readonly forwarded: ForwardedHeaders | undefined;
  readonly #response: ServerResponse;
  readonly #format: StreamFormat;
  readonly #host: ClientHost;
  readonly #frame: (payload: Buffer) => Buffer;
  readonly #beatSlot: number;
  #subscription: LiveSubscription | undefined;
  #ended = false;
  #slowTimer: NodeJS.Timeout | undefined;

  /** Takes the place of the viewer's connection; the caller has made sure that there is one. */
  constructor(
    response: ServerResponse,
    format: StreamFormat,
    { viewer, forwarded }: Pick<Sink, 'viewer' | 'forwarded'>,
    host: ClientHost,
  ) {
    this.viewer = viewer;
    this.forwarded = forwarded;
    this.#response = response;
    this.#format = format;
    this.#host = host;
    this.#frame = format.frame;
    response.writeHead(200, {
      'content-type': format.contentType,
      'cache-control': 'no-cache, no-transform',
      connection: 'close',
      // Proxies must not gather what is meant to arrive at once.
      'x-accel-buffering': 'no',
    });
    response.once('close', () => this.leave());
    host.streams.add(this);
    host.metrics.connections.inc({ protocol: format.name });
    this.#beatSlot = host.heartbeats[format.name].add(this);
    if (viewer !== undefined) host.expiry.add(viewer.expiresAt, this);
    this.#write(format.opening);
  }

  get writable(): boolean {
    return this.#ended || !this.#response.writableNeedDrain;
  }

  opened(subscription: LiveSubscription): void {
    if (this.#ended) subscription.leave();
    else this.#subscription = subscription;
  }

  send(payload: Payload): void {
    this.#write(payload.framed(this.#frame));
  }

  /** Ends the response; a subscription that the router ends is told why. */
  end(error: CodedError | undefined): void {
    if (this.#ended) return;
    if (error !== undefined) {
      this.#host.metrics.closes.inc({ code: error.code });
      this.#write(this.#format.failure([this.#host.maskError(error)]));
    }
    this.#response.end(this.#format.closing);
    setTimeout(() => this.#response.destroy(), lastBytesMs).unref();
    this.leave();
  }

  close(code: ErrorCode): void {
    this.end(new CodedError(code));
  }

  expired(): void {
    this.close('TOKEN_EXPIRED');
  }

  beat(): void {
    this.#write(this.#format.heartbeat);
  }

  /** Gives back all that the response holds. Idempotent. */
  leave(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#slowTimer);
    const { host, viewer } = { host: this.#host, viewer: this.viewer };
    host.streams.delete(this);
    host.metrics.connections.dec({ protocol: this.#format.name });
    host.heartbeats[this.#format.name].remove(this.#beatSlot, this);
    if (viewer !== undefined) host.expiry.remove(viewer.expiresAt, this);
    host.viewerConnections.giveBack(viewer?.sub);
    host.viewerSubscriptions.giveBack(viewer?.sub);
    this.#subscription?.leave();
  }

  #write(bytes: Buffer): void {
    if (this.#ended || this.#response.destroyed) return;
    if (this.#response.write(bytes) || this.#slowTimer !== undefined) return;
    const { limits } = this.#host;
    if (this.#response.writableLength > limits.maxBufferedBytes) {
      // Later: the engine may be in the middle of handing it something.
      setImmediate(() => this.close('SUBSCRIPTION_SLOW_CONSUMER'));
      return;
    }
    this.#slowTimer = setTimeout(() => this.close('SUBSCRIPTION_SLOW_CONSUMER'), limits.slowConsumerMs);
    this.#response.once('drain', () => {
      clearTimeout(this.#slowTimer);
      this.#slowTimer = undefined;
      this.#subscription?.resume();
    });
  }
}
