// One subscription on one WebSocket: to the engine a sink, to graphql-ws an iterable that never yields and only ends. Results are
// written past graphql-ws as shared bytes, while it keeps the protocol.
import type { ExecutionResult } from 'graphql';
import type { CodedError } from '../../service/errors.ts';
import type { Payload } from './payload.ts';
import type { LiveSubscription, Sink } from './subscriber.ts';
import type { WebSocketConnection } from './websocket-connection.ts';
import { textFrame } from './websocket-frame.ts';

interface Outcome {
  readonly error: CodedError | undefined;
}

export class WebSocketSink implements Sink, AsyncGenerator<ExecutionResult, undefined, undefined> {
  readonly #connection: WebSocketConnection;
  readonly #id: string;
  #subscription: LiveSubscription | undefined;
  #left = false;
  /** How the engine ended it, when graphql-ws has not asked yet. */
  #outcome: Outcome | undefined;
  #settle: ((outcome: Outcome) => void) | undefined;

  constructor(connection: WebSocketConnection, id: string) {
    this.#connection = connection;
    this.#id = id;
  }

  get writable(): boolean {
    return this.#left || this.#connection.writable;
  }

  opened(subscription: LiveSubscription): void {
    this.#subscription = subscription;
    if (this.#left) subscription.leave();
  }

  send(payload: Payload): void {
    if (this.#left) return;
    this.#connection.write(textFrame(`{"id":${JSON.stringify(this.#id)},"type":"next","payload":`, payload.bytes, '}'));
  }

  end(error: CodedError | undefined): void {
    const outcome = { error };
    this.#outcome = outcome;
    this.#settle?.(outcome);
    if (error?.code === 'SUBSCRIPTION_SLOW_CONSUMER') this.#connection.close(error.code);
  }

  /** More can be written. */
  resume(): void {
    this.#subscription?.resume();
  }

  /** The client has completed the subscription, or is gone. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#connection.left(this.#id, this);
    this.#subscription?.leave();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<ExecutionResult, undefined>> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#settle = resolve;
    if (this.#outcome !== undefined) resolve(this.#outcome);
    const { error } = await promise;
    this.leave();
    if (error !== undefined) throw error;
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorResult<ExecutionResult, undefined>> {
    this.leave();
    this.#settle?.({ error: undefined });
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(): Promise<IteratorResult<ExecutionResult, undefined>> {
    return this.return();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
