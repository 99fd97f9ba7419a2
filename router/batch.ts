// Several operations in one request: a JSON list, answered by a list in the same order. Off unless it is configured.
import { setImmediate } from 'node:timers/promises';
import { CodedError, codeOf, errorTable } from '../service/errors.ts';
import type { GraphqlHttpResponse } from './graphql-http.ts';

/** @throws CodedError BATCH_LIMIT, BAD_REQUEST */
export function checkBatch(items: readonly unknown[], limit: number): void {
  if (items.length > limit) {
    const allowed =
      limit === 0 ? 'Lists of operations are not answered here' : `At most ${limit} operations are answered at once`;
    throw new CodedError('BATCH_LIMIT', `${allowed}; send them one by one.`, {
      measured: items.length,
      allowed: limit,
    });
  }
  if (items.length === 0) throw new CodedError('BAD_REQUEST', 'The list of operations is empty.');
}

/**
 * One answer of many. Each has its own errors; only the whole request has a status. Each is begun in a turn of the event loop of
 * its own, so that nobody waits for a whole batch to be parsed and planned.
 */
export async function joinAnswers(
  answers: readonly (() => Promise<GraphqlHttpResponse>)[],
): Promise<GraphqlHttpResponse> {
  const begun: Promise<string>[] = [];
  for (const answer of answers) {
    if (begun.length > 0) await setImmediate();
    begun.push(answer().then(textOf, errorText));
  }
  const texts = await Promise.all(begun);
  return {
    status: 200,
    headers: [
      ['cache-control', 'no-store'],
      ['content-type', 'application/json; charset=utf-8'],
    ],
    body: { kind: 'complete', string: `[${texts.join(',')}]` },
  };
}

async function textOf({ body }: GraphqlHttpResponse): Promise<string> {
  // An answer in parts has no place in a list.
  return body.kind === 'complete' ? body.string.trimEnd() : errorText(new CodedError('BAD_REQUEST'));
}

function errorText(error: unknown): string {
  const code = codeOf(error);
  const message = error instanceof CodedError ? error.message : errorTable[code].message;
  return JSON.stringify({ errors: [{ message, extensions: { code } }] });
}
