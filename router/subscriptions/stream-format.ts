// How results look on a streaming HTTP response: multipart subscriptions (Apollo's protocol) and GraphQL over SSE.
import type { GraphQLFormattedError } from 'graphql';

/** One protocol. Every function gives bytes that are written whole. */
export interface StreamFormat {
  readonly name: 'multipart' | 'sse';
  readonly contentType: string;
  /** Written at once, so that the client knows that it is heard. */
  readonly opening: Buffer;
  /** One result, from its JSON. */
  frame(payload: Buffer): Buffer;
  /** Written in every heartbeat. */
  readonly heartbeat: Buffer;
  /** The subscription was ended by the router: nothing follows. */
  failure(errors: readonly GraphQLFormattedError[]): Buffer;
  /** The end of every response. */
  readonly closing: Buffer;
}

const part = (json: Buffer | string): Buffer =>
  Buffer.concat([
    Buffer.from('\r\ncontent-type: application/json\r\n\r\n'),
    Buffer.from(json),
    // Clients act on a part when they see the next boundary.
    Buffer.from('\r\n--graphql'),
  ]);

/** https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol */
export const multipart: StreamFormat = {
  name: 'multipart',
  contentType: 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
  opening: Buffer.concat([Buffer.from('\r\n--graphql'), part('{}')]),
  frame: (payload) => part(Buffer.concat([Buffer.from('{"payload":'), payload, Buffer.from('}')])),
  heartbeat: part('{}'),
  failure: (errors) => part(JSON.stringify({ payload: null, errors })),
  closing: Buffer.from('--\r\n'),
};

/** https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverSSE.md, distinct connections mode */
export const serverSentEvents: StreamFormat = {
  name: 'sse',
  contentType: 'text/event-stream; charset=utf-8',
  opening: Buffer.from(':\n\n'),
  // JSON has no line break outside of strings, and none unescaped inside.
  frame: (payload) => Buffer.concat([Buffer.from('event: next\ndata: '), payload, Buffer.from('\n\n')]),
  heartbeat: Buffer.from(':\n\n'),
  failure: (errors) => Buffer.from(`event: next\ndata: ${JSON.stringify({ errors })}\n\n`),
  closing: Buffer.from('event: complete\ndata:\n\n'),
};

/**
 * The protocol that an `Accept` header asks for; undefined for an ordinary response. `multipart/mixed` counts only with
 * `subscriptionSpec`: without it, it asks for deferred parts.
 */
export function streamFormatOf(accept: string | undefined): StreamFormat | undefined {
  // Nearly every request is told apart by this alone.
  if (accept === undefined || !/event-stream|subscriptionspec/i.test(accept)) return undefined;
  for (const type of accept.toLowerCase().split(',')) {
    const [name, ...parameters] = type.split(';').map((one) => one.trim());
    if (name === 'text/event-stream') return serverSentEvents;
    if (name !== 'multipart/mixed') continue;
    if (parameters.some((one) => /^subscriptionspec="?1\.0"?$/.test(one))) return multipart;
  }
  return undefined;
}
