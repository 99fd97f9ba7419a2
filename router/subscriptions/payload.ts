// One result of a subscription, serialised once for everyone who gets it.
import type { ExecutionResult } from 'graphql';

/** The JSON of an execution result, shared by all sockets that it goes to. */
export class Payload {
  /** UTF-8 of the JSON; never changed. */
  readonly bytes: Buffer;
  readonly #result: ExecutionResult;
  /** What a transport made of it, so that it is made once. */
  #framed: { readonly frame: (payload: Buffer) => Buffer; readonly bytes: Buffer } | undefined;

  constructor(result: ExecutionResult) {
    this.#result = result;
    this.bytes = Buffer.from(JSON.stringify(result));
  }

  /** The same result with more `extensions`: another payload, for one subscriber. */
  withExtensions(extensions: Readonly<Record<string, unknown>>): Payload {
    return new Payload({ ...this.#result, extensions: { ...this.#result.extensions, ...extensions } });
  }

  /** `frame(bytes)`, kept for the next subscriber of the same transport. */
  framed(frame: (payload: Buffer) => Buffer): Buffer {
    if (this.#framed?.frame !== frame) this.#framed = { frame, bytes: frame(this.bytes) };
    return this.#framed.bytes;
  }
}
