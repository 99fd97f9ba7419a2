// One subscription on one WebSocket. Its results are written as frames around bytes that many subscriptions share.
import type { CodedError } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import type { ForwardedHeaders } from '../forwarded-headers.ts';
import type { Payload } from './payload.ts';
import type { LiveSubscription, Sink } from './subscriber.ts';
import type { WebSocketConnection } from './websocket-connection.ts';
import { textFrame } from './websocket-frame.ts';

export class WebSocketSink implements Sink {
  readonly #connection: WebSocketConnection;
  readonly #id: string;
  #subscription: LiveSubscription | undefined;
  #left = false;

  constructor(connection: WebSocketConnection, id: string) {
    this.#connection = connection;
    this.#id = id;
  }

  get viewer(): Viewer | undefined {
    return this.#connection.viewer;
  }

  get forwarded(): ForwardedHeaders | undefined {
    return this.#connection.forwarded;
  }

  /** Whether the client has completed it, or the engine has ended it. */
  get hasLeft(): boolean {
    return this.#left;
  }

  get writable(): boolean {
    return this.#left || this.#connection.writable;
  }

  opened(subscription: LiveSubscription): void {
    if (this.#left) subscription.leave();
    else this.#subscription = subscription;
  }

  send(payload: Payload): void {
    if (this.#left) return;
    this.#connection.write(textFrame(`{"id":${JSON.stringify(this.#id)},"type":"next","payload":`, payload.bytes, '}'));
  }

  end(error: CodedError | undefined): void {
    if (this.#left) return;
    this.#left = true;
    this.#connection.ended(this.#id, error);
  }

  /** More can be written. */
  resume(): void {
    this.#subscription?.resume();
  }

  /** The connection has another token. */
  identify(): void {
    this.#subscription?.identify();
  }

  /** The client has completed the subscription, or is gone. Also before the engine has opened it. */
  leave(): void {
    this.#left = true;
    this.#subscription?.leave();
  }
}
