// Answers in pieces over HTTP: which protocol a client speaks, and what its multipart response looks like. Both protocols that
// Apollo Client 4 has handlers for are spoken: deferSpec=20220824, and incrementalSpec=v0.2 of graphql-js 17.
import type { GraphQLError } from 'graphql';
import { codesOf } from './errors.ts';
import type { ErrorMask } from './errors.ts';
import type { Delivery, DeliveredPart, IncrementalExecution, PendingPart } from './executor/incremental.ts';

/** How pieces are written. */
export interface IncrementalProtocol {
  readonly contentType: string;
  readonly initial: (execution: IncrementalExecution, mask: ErrorMask) => object;
  readonly delivery: (delivery: Delivery, mask: ErrorMask) => object;
}

/** https://github.com/graphql/graphql-spec/tree/48cf7263a71a683fab03d45d309fd42d8d9a6659/spec */
const deferSpec20220824: IncrementalProtocol = {
  contentType: 'multipart/mixed; boundary="-"; deferSpec=20220824',
  initial: ({ initial: { data, errors } }, mask) => ({ data, ...errorsOf(errors, mask), hasNext: true }),
  delivery: ({ delivered, hasNext }, mask) => ({
    incremental: delivered.map(({ data, path, label, errors }) => ({
      data,
      path,
      ...(label === undefined ? {} : { label }),
      ...errorsOf(errors, mask),
    })),
    hasNext,
  }),
};

/** https://specs.apollo.dev/incremental/v0.2/ */
const incrementalSpec02: IncrementalProtocol = {
  contentType: 'multipart/mixed; boundary="-"; incrementalSpec=v0.2',
  initial: ({ initial: { data, errors }, pending }, mask) => ({
    data,
    ...errorsOf(errors, mask),
    pending: pending.map(announced),
    hasNext: true,
  }),
  delivery: ({ delivered, pending, hasNext }, mask) => ({
    ...(pending.length > 0 ? { pending: pending.map(announced) } : {}),
    ...some(
      'incremental',
      delivered
        .filter(({ data }) => data !== null)
        .map(({ id, data, errors }) => ({ id, data, ...errorsOf(errors, mask) })),
    ),
    completed: delivered.map((part) => completed(part, mask)),
    hasNext,
  }),
};

const protocols: readonly (readonly [RegExp, IncrementalProtocol])[] = [
  [/;\s*incrementalspec\s*=\s*"?v0\.2"?\s*(;|$)/i, incrementalSpec02],
  [/;\s*deferspec\s*=\s*"?20220824"?\s*(;|$)/i, deferSpec20220824],
];

/** The protocol that an `accept` header names first; undefined when it names none: then everything is one answer. */
export function incrementalProtocolOf(accept: string): IncrementalProtocol | undefined {
  if (!/multipart\/mixed/i.test(accept)) return undefined;
  for (const range of accept.split(',')) {
    if (!/^\s*multipart\/mixed\s*;/i.test(range) || /;\s*q\s*=\s*0(\.0*)?\s*(;|$)/i.test(range)) continue;
    const found = protocols.find(([pattern]) => pattern.test(range));
    if (found) return found[1];
  }
  return undefined;
}

/** The head of the response. Nothing between us and the client may collect the pieces. */
export const incrementalHeaders = ({ contentType }: IncrementalProtocol): readonly (readonly [string, string])[] => [
  ['content-type', contentType],
  ['cache-control', 'no-store'],
  ['x-accel-buffering', 'no'],
];

/**
 * The body of the response. A client acts on a piece when it sees the boundary behind it, so that is written with the piece.
 * @param onEnd told the codes of all errors, when the last piece has been written or nobody reads on.
 */
export async function* incrementalBody(
  execution: IncrementalExecution,
  { initial, delivery }: IncrementalProtocol,
  mask: ErrorMask,
  onEnd: (codes: readonly string[]) => void,
): AsyncGenerator<string, void, undefined> {
  const codes = codesOf(execution.initial.errors?.map(mask));
  try {
    yield `\r\n---${piece(initial(execution, mask))}---`;
    for await (const one of execution.rest) {
      codes.push(...codesOf(one.delivered.flatMap(({ errors }) => errors).map(mask)));
      yield `${piece(delivery(one, mask))}---${one.hasNext ? '' : '--\r\n'}`;
    }
  } finally {
    onEnd(codes);
  }
}

const piece = (value: object): string =>
  `\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${JSON.stringify(value)}\r\n`;

const announced = ({ id, path, label }: PendingPart): object => ({
  id,
  path,
  ...(label === undefined ? {} : { label }),
});

/** Errors of a part that has no data are told with its end. */
const completed = ({ id, data, errors }: DeliveredPart, mask: ErrorMask): object => ({
  id,
  ...(data === null ? errorsOf(errors, mask) : {}),
});

const errorsOf = (errors: readonly GraphQLError[] | undefined, mask: ErrorMask): object =>
  some('errors', (errors ?? []).map(mask));

const some = (name: string, items: readonly object[]): object => (items.length > 0 ? { [name]: items } : {});
