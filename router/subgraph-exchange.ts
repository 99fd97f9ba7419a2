// One request to a subgraph and its whole answer, over undici's dispatch. There is no stream and no promise but the last, which is
// a third of what undici's own `request` costs.
import { errors as undiciErrors } from 'undici';
import type { Dispatcher } from 'undici';
import { decompressed } from './compression.ts';
import type { CancelSignal } from './cancellation.ts';
import { FailedAttempt } from './traffic/failed-attempt.ts';

export interface ExchangeRequest {
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: string;
  /** Milliseconds within which the answer has to begin, and to be there whole soon after. */
  readonly leftMs: number;
  /** Bytes that the answer may have. */
  readonly maxBytes: number;
  /** Ends the exchange; the connection is given up. */
  readonly signal: CancelSignal | undefined;
}

export interface ExchangeAnswer {
  readonly statusCode: number;
  readonly retryAfter: string | undefined;
  /** Media types that it takes, as far as it says. */
  readonly acceptPost: string | undefined;
  readonly text: string;
  /** Length of the text. */
  readonly bytes: number;
}

/** undici's timers are coarse anyway; equal times let it go on with the timer that a connection has. */
const timerStepMs = 50;

/** @throws FailedAttempt when the answer is too large or too slow, the reason of the signal, and whatever undici throws. */
export function exchange(dispatcher: Dispatcher, request: ExchangeRequest): Promise<ExchangeAnswer> {
  return new Promise((resolve, reject) => {
    const { path, headers, body, leftMs } = request;
    const timeout = Math.ceil(leftMs / timerStepMs) * timerStepMs;
    dispatcher.dispatch(
      { path, method: 'POST', headers, body, headersTimeout: timeout, bodyTimeout: timeout },
      new AnswerReader(request, resolve, reject),
    );
  });
}

class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #resolve: (answer: ExchangeAnswer | Promise<ExchangeAnswer>) => void;
  readonly #reject: (error: unknown) => void;
  readonly #deadline: number;
  #controller: Dispatcher.DispatchController | undefined;
  #statusCode = 0;
  #retryAfter: string | undefined;
  #acceptPost: string | undefined;
  /** Nothing is said about encodings in the request; a subgraph may take that as a leave to compress. */
  #encoding: string | undefined;
  /** What has come so far: mostly one chunk. */
  #first: Buffer | undefined;
  #more: Buffer[] | undefined;
  #bytes = 0;

  constructor(
    request: ExchangeRequest,
    resolve: (answer: ExchangeAnswer | Promise<ExchangeAnswer>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#deadline = performance.now() + request.leftMs;
    const { signal } = request;
    if (signal?.aborted === true) this.onAbort();
    else signal?.addEventListener('abort', this.onAbort);
  }

  /** Before the request is on a connection there is nothing to give up; it is when it would be sent. */
  readonly onAbort = (): void => {
    const error = this.#request.signal?.reason as Error;
    this.#controller?.abort(error);
    this.#end();
    this.#reject(error);
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#request.signal?.aborted === true) controller.abort(this.#request.signal.reason as Error);
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    statusCode: number,
    headers: Readonly<Record<string, unknown>>,
  ): void {
    this.#statusCode = statusCode;
    const { 'retry-after': retryAfter, 'accept-post': acceptPost, 'content-encoding': encoding } = headers;
    this.#retryAfter = typeof retryAfter === 'string' ? retryAfter : undefined;
    this.#acceptPost = typeof acceptPost === 'string' ? acceptPost : undefined;
    this.#encoding = typeof encoding === 'string' && encoding !== 'identity' ? encoding : undefined;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#request.maxBytes) {
      const message = `the answer is over ${String(this.#request.maxBytes)} bytes`;
      return controller.abort(new FailedAttempt('too-large', message));
    }
    if (this.#first === undefined) {
      this.#first = chunk;
      return;
    }
    if (performance.now() > this.#deadline) {
      return controller.abort(new FailedAttempt('timeout', 'the answer came too slowly'));
    }
    (this.#more ??= [this.#first]).push(chunk);
  }

  onResponseEnd(): void {
    this.#end();
    const body = this.#more === undefined ? this.#first : Buffer.concat(this.#more, this.#bytes);
    const encoding = this.#encoding;
    this.#resolve(encoding === undefined || body === undefined ? this.#answer(body) : this.#decoded(body, encoding));
  }

  async #decoded(body: Buffer, encoding: string): Promise<ExchangeAnswer> {
    try {
      return this.#answer(await decompressed(body, encoding, this.#request.maxBytes));
    } catch (cause) {
      const isTooLarge = (cause as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
      throw new FailedAttempt(isTooLarge ? 'too-large' : 'bad-answer', 'the answer cannot be decompressed', { cause });
    }
  }

  #answer(body: Buffer | undefined): ExchangeAnswer {
    return {
      statusCode: this.#statusCode,
      retryAfter: this.#retryAfter,
      acceptPost: this.#acceptPost,
      text: body === undefined ? '' : body.toString('utf8'),
      bytes: body === undefined ? 0 : body.length,
    };
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#request.signal?.removeEventListener('abort', this.onAbort);
  }
}

/** Whether undici gave up because the time was over. */
export function isTimeout(error: unknown): boolean {
  return error instanceof undiciErrors.HeadersTimeoutError || error instanceof undiciErrors.BodyTimeoutError;
}
