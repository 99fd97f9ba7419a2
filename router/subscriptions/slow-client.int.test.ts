// WebSocket clients that do not read: real sockets and the real clients in one process, on a real broker.
import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { stopClock } from '../test-clock.ts';
import { liveOnBroker } from './test-broker.ts';
import { tokenOf, until, watch } from './test-live.ts';

const start = liveOnBroker();

test('a client that does not read is closed with a typed code, holds nobody up, and resumes behind what it was given', async () => {
  using clock = stopClock();
  const { client, publish, metrics } = await start({ limits: { slowConsumerMs: 200 } });
  await publish('alice', 'a', 1);
  const sockets: WebSocket[] = [];
  class KeptSocket extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      sockets.push(this);
    }
  }
  const query = 'subscription ($after: String) { thingChanged(id: "a", after: $after) { cursor version note } }';
  const slow = watch(client(tokenOf('alice'), { webSocketImpl: KeptSocket }), query);
  const fast = watch(client(tokenOf('alice')), query);
  await Promise.all([slow.next(), fast.next()]);
  const raw = (sockets[0] as unknown as { _socket: Socket })._socket;
  raw.pause();
  const note = 'x'.repeat(400_000);
  const versions = Array.from({ length: 40 }, (_, index) => index + 2);
  for (const version of versions) {
    await publish('alice', 'a', version, { note });
    expect((await fast.next()).data?.['thingChanged']).toMatchObject({ version });
  }
  const seen: number[] = [];
  let cursor: unknown;
  // Whoever reads has all by now. Reading again before it was given up, the slow one would catch up, and never be closed.
  clock.advance(200);
  expect((await metrics.closes.get()).values).toEqual([{ labels: { code: '4411' }, value: 1 }]);
  raw.resume();
  const closed = (async (): Promise<unknown> => {
    for (;;) {
      const result = await slow.next().catch((error: unknown) => ({ ended: error }));
      if ('ended' in result) return result.ended;
      seen.push(Number(result.data?.['thingChanged']?.['version']));
      cursor = result.data?.['thingChanged']?.['cursor'];
    }
  })();
  expect(await closed).toMatchObject({ code: 4411, reason: 'SUBSCRIPTION_SLOW_CONSUMER' });
  expect(seen).toEqual(versions.slice(0, seen.length));
  const resumed = watch(client(tokenOf('alice')), query, { after: cursor });
  for (const version of versions.slice(seen.length)) {
    expect((await resumed.next()).data?.['thingChanged']).toMatchObject({ version });
  }
});

test('a client that asks and does not read is not read from either, so what waits for it has a bound; when it reads, it is given all', async () => {
  using _clock = stopClock();
  const { url, server, reports } = await start();
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const client = new WebSocket(url, 'graphql-transport-ws');
  await once(client, 'open');
  const [socket] = await connected;
  client.send(JSON.stringify({ type: 'connection_init', payload: { authorization: tokenOf('alice') } }));
  await once(client, 'message');
  const raw = (client as unknown as { _socket: Socket })._socket;
  raw.pause();
  let isPaused = false;
  socket.once('pause', () => (isPaused = true));
  const asked = 1_000;
  const id = 'x'.repeat(30_000);
  const payload = { query: 'query Name($id: ID!) { thing(id: $id) { name } }', variables: { id } };
  for (let index = 0; index < asked; index += 1) {
    client.send(JSON.stringify({ id: String(index), type: 'subscribe', payload }));
  }
  await until(() => Promise.resolve(isPaused || reports.length === asked));
  // What it is given without being read from again fits into the buffers of the kernel.
  expect(reports.length).toBeLessThan(asked / 2);
  let answered = 0;
  client.on('message', (data: Buffer) => {
    if (data.toString().includes('"complete"')) answered += 1;
  });
  raw.resume();
  await until(() => Promise.resolve(answered === asked));
  expect(new Set(reports)).toEqual(new Set(['query Name ok']));
  client.terminate();
});
