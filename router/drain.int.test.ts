// The end of a router, seen from its clients: what was asked is answered, whole, and nobody holds it up.
import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { json } from 'node:stream/consumers';
import { startTestRouter } from './test-router.ts';

test('a drain answers what was asked, and ends kept connections', async () => {
  const other = await startTestRouter();
  const agent = new Agent({ keepAlive: true });
  const slow = request(other.url, { method: 'POST', agent, headers: { 'content-type': 'application/json' } });
  slow.end(JSON.stringify({ query: '{ slow users { id } }' }));
  const answered = once(slow, 'response') as Promise<[IncomingMessage]>;
  while (other.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const closed = other.router.close();
  other.answerSlow();
  const [response] = await answered;
  expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
  response.resume();
  await closed;
  await expect(fetch(`${other.origin}/health/live`)).rejects.toThrow();
  agent.destroy();
  await other.close();
});

test('a connection that was idle when the drain began may still be used; the answer ends it, and with it the drain', async () => {
  // Far longer than a test may take: the close ends for another reason.
  const other = await startTestRouter({ DRAIN_MS: '600000' });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (): Promise<unknown> => {
    const asked = request(other.url, { method: 'POST', agent, headers: { 'content-type': 'application/json' } });
    asked.end(JSON.stringify({ query: '{ users { id } }' }));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return [response.statusCode, response.headers.connection, asked.reusedSocket];
  };
  expect(await ask()).toEqual([200, 'keep-alive', false]);
  const closed = other.router.close();
  expect(await ask()).toEqual([200, 'close', true]);
  await closed;
  await other.close();
});

test('a connection that was never used does not hold up the drain', async () => {
  const other = await startTestRouter();
  const unused = connect(Number(new URL(other.origin).port), '127.0.0.1');
  await once(unused, 'connect');
  // It is accepted when a later one is answered.
  await other.ask('{ __typename }');
  await Promise.all([once(unused, 'close'), other.router.close()]);
  await other.close();
});

test('an answer that its client is still reading comes whole', async () => {
  const other = await startTestRouter({
    SUBGRAPH_RESPONSE_LIMIT_BYTES: '50000000',
    OPERATION_RESPONSE_LIMIT_BYTES: '50000000',
  });
  const asked = request(other.url, { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } });
  // More than the system takes off the router before the client has read any of it.
  const fields = Array.from({ length: 12 }, (_, n) => `a${n}: huge`);
  asked.end(JSON.stringify({ query: `{ ${fields.join(' ')} }` }));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const closed = other.router.close();
  const { data } = (await json(response)) as { data: Readonly<Record<string, string>> };
  expect(Object.values(data).map(({ length }) => length)).toEqual(fields.map(() => 2_000_000));
  await closed;
  await other.close();
});
