// Several operations in one request: what is asked of the event loop for them.
import { expect, test } from '@jest/globals';
import { joinAnswers } from './batch.ts';
import type { GraphqlHttpResponse } from './graphql-http.ts';

const complete = (string: string): GraphqlHttpResponse => ({ headers: [], body: { kind: 'complete', string } });

test('each operation of a batch is begun in a turn of its own, and answered at its place', async () => {
  const begun: string[] = [];
  const { promise: first, resolve } = Promise.withResolvers<GraphqlHttpResponse>();
  const joined = joinAnswers([
    () => {
      begun.push('first');
      setImmediate(() => begun.push('somebody else'));
      return first;
    },
    () => {
      begun.push('second');
      resolve(complete('{"data":1}\n'));
      return Promise.resolve(complete('{"data":2}\n'));
    },
    () => Promise.reject(new Error('no')),
  ]);
  const { body } = await joined;
  expect(begun).toEqual(['first', 'somebody else', 'second']);
  expect(body).toMatchObject({ string: expect.stringMatching(/^\[\{"data":1\},\{"data":2\},\{"errors":.*\}\]$/) });
});
