// What graphql-transport-ws asks of a server beyond results: its close codes, pings, and a new token on an open connection.
import { describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { stopClock } from '../test-clock.ts';
import { liveOnBroker } from './test-broker.ts';
import { tokenOf, watch } from './test-live.ts';

const start = liveOnBroker();

const one = 'subscription ($id: ID!, $after: String) { thingChanged(id: $id, after: $after) { cursor version } }';

describe('a client that brings a new token in a ping', () => {
  const fetched = 'subscription { thingChanged(id: "a") { version thing { name } } }';

  test('goes on beyond the expiry of the first, and is asked for under the new one', async () => {
    using clock = stopClock();
    const { client, publish, subgraph } = await start();
    await publish('alice', 'a', 1);
    const sockets: WebSocket[] = [];
    const expiresAt = Date.now() + 5_000;
    const own = client(tokenOf('alice', { expiresAt }), {
      on: { opened: (socket) => sockets.push(socket as WebSocket) },
    });
    const events = watch(own, fetched);
    await events.next();
    const next = tokenOf('alice');
    const answered = new Promise((resolve) => own.on('pong', (received, payload) => received && resolve(payload)));
    sockets[0]?.send(JSON.stringify({ type: 'ping', payload: { Authorization: next } }));
    expect(await answered).toEqual({ expiresAt: expect.stringMatching(/^\d{4}-/) });
    // The moment at which the first token would have closed the connection.
    clock.advance(expiresAt - Date.now());
    await publish('alice', 'a', 2);
    expect((await events.next()).data?.['thingChanged']).toMatchObject({ version: 2 });
    expect(subgraph.requests.at(-1)?.context.viewer?.token).toBe(next.replace('Bearer ', ''));
  });

  test('of somebody else is closed', async () => {
    const { client, publish } = await start();
    await publish('alice', 'a', 1);
    const sockets: WebSocket[] = [];
    const own = client(tokenOf('alice'), { on: { opened: (socket) => sockets.push(socket as WebSocket) } });
    const events = watch(own, fetched);
    await events.next();
    sockets[0]?.send(JSON.stringify({ type: 'ping', payload: { authorization: tokenOf('bob') } }));
    await expect(events.next()).rejects.toMatchObject({ code: 4403, reason: 'UNAUTHENTICATED' });
  });

  test('with fewer scopes loses what needs them', async () => {
    const { client, publish } = await start();
    await publish('alice', 'a', 1);
    const sockets: WebSocket[] = [];
    const own = client(tokenOf('alice', { scope: 'things:read' }), {
      on: { opened: (socket) => sockets.push(socket as WebSocket) },
    });
    const all = watch(own, 'subscription { allThingsChanged { version } }').next();
    const mine = watch(own, one, { id: 'a' });
    await mine.next();
    sockets[0]?.send(JSON.stringify({ type: 'ping', payload: { authorization: tokenOf('alice') } }));
    await expect(all).rejects.toEqual([expect.objectContaining({ extensions: { code: 'FORBIDDEN' } })]);
    await publish('alice', 'a', 2);
    expect((await mine.next()).data?.['thingChanged']).toMatchObject({ version: 2 });
  });
});

describe('the protocol', () => {
  test.each([
    ['what is no JSON', ['{'], 4400],
    ['what is no message', [{ type: 'hello' }], 4400],
    ['a message of the server', [{ type: 'connection_ack' }], 4400],
    [
      'a subscription before connection_init',
      [{ id: '1', type: 'subscribe', payload: { query: '{ __typename }' } }],
      4401,
    ],
    ['a second connection_init', [{ type: 'connection_init' }, { type: 'connection_init' }], 4429],
    [
      'an id that is in use',
      [
        { type: 'connection_init', payload: { authorization: tokenOf('alice') } },
        { id: '1', type: 'subscribe', payload: { query: 'subscription { myThingsChanged { version } }' } },
        { id: '1', type: 'subscribe', payload: { query: 'subscription { myThingsChanged { version } }' } },
      ],
      4409,
    ],
  ])('%s closes with its code', async (_what, messages, code) => {
    const { url } = await start();
    const socket = new WebSocket(url, 'graphql-transport-ws');
    await new Promise((resolve) => socket.once('open', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    for (const message of messages) {
      socket.send(typeof message === 'string' ? message : JSON.stringify(message));
      // Only what follows an accepted connection_init waits for its answer.
      if (code === 4409 && message === messages[0]) await new Promise((resolve) => socket.once('message', resolve));
    }
    expect(await closed).toBe(code);
  });

  test('another subprotocol is closed, another path refused', async () => {
    const { url } = await start();
    const plain = new WebSocket(url);
    expect(await new Promise((resolve) => plain.once('close', resolve))).toBe(4406);
    const elsewhere = new WebSocket(`${url}/other`, 'graphql-transport-ws');
    const refused = await new Promise<Error>((resolve) => elsewhere.once('error', resolve));
    expect(refused.message).toMatch('404');
  });

  test('a ping is answered with its payload', async () => {
    const { url } = await start();
    const socket = new WebSocket(url, 'graphql-transport-ws');
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(JSON.stringify({ type: 'ping', payload: { n: 1 } }));
    const answer = await new Promise<Buffer>((resolve) => socket.once('message', resolve));
    expect(JSON.parse(answer.toString())).toEqual({ type: 'pong', payload: { n: 1 } });
    socket.close();
  });
});
