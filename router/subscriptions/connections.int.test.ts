// What holds for the connections themselves, whatever they carry: heartbeats of the streams, and how many there may be in all.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { startNats } from '../../dev/nats.ts';
import type { Nats } from '../../dev/nats.ts';
import { renewThingsStream, startTestLive, tokenOf, until } from './test-live.ts';
import type { TestLive } from './test-live.ts';

let folder: string;
let broker: Nats;
let live: TestLive;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'live-'));
  broker = await startNats({ storeDir: folder, disposable: true });
});
afterAll(async () => {
  await broker.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => renewThingsStream(broker.url));
afterEach(() => live.close());

/** A subscription to one thing over a streaming response, as a client without a library of its own sees it. */
async function openStream(accept: string) {
  const aborter = new AbortController();
  const response = await fetch(live.httpUrl, {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json', authorization: tokenOf('alice') },
    body: JSON.stringify({ query: 'subscription { thingChanged(id: "a") { version } }' }),
    signal: aborter.signal,
  });
  const chunks = response.body?.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = '';
  return {
    response,
    /** All that has come, once it fits. */
    async until(fits: (text: string) => boolean): Promise<string> {
      while (!fits(text)) {
        const chunk = await chunks?.next();
        if (chunk === undefined || chunk.done === true) throw new Error(`the stream ended: ${text}`);
        text += chunk.value;
      }
      return text;
    },
    leave: () => aborter.abort(),
  };
}

describe.each([
  ['multipart', 'multipart/mixed;subscriptionSpec=1.0', '\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql'],
  ['SSE', 'text/event-stream', ':\n\n'],
])('a stream over %s', (_protocol, accept, heartbeat) => {
  test('gets heartbeats between its results, and the results whole', async () => {
    // One for each of the 60 places in a round, so that every turn of the clock is one.
    live = await startTestLive({ natsUrl: broker.url, limits: { multipartHeartbeatMs: 60, sseHeartbeatMs: 60 } });
    await live.publish('alice', 'a', 1);
    const stream = await openStream(accept);
    const resultOf = (version: number): string => `{"data":{"thingChanged":{"version":${String(version)}}}}`;
    const afterFirst = (text: string): string => text.split(resultOf(1))[1] ?? '';
    await stream.until((text) => afterFirst(text).includes(heartbeat.repeat(3)));
    await live.publish('alice', 'a', 2);
    const text = await stream.until((all) => all.includes(resultOf(2)));
    const between = afterFirst(text).split(resultOf(2))[0] ?? '';
    // What is left without them is the end of the first result and the beginning of the second.
    expect(between.replaceAll(heartbeat, '')).toMatch(
      /^(\}\r\n--graphql\r\n[^{]*\{"payload":|\n\nevent: next\ndata: )$/,
    );
    stream.leave();
    await until(async () => (await live.value('connections')) === 0);
  });
});

describe('connections in all', () => {
  async function openSocket(): Promise<WebSocket> {
    const socket = new WebSocket(live.url, 'graphql-transport-ws');
    await once(socket, 'open');
    return socket;
  }

  test('are limited over all protocols: one more is told OVERLOADED, until one has left', async () => {
    live = await startTestLive({ natsUrl: broker.url, limits: { maxConnections: 2 } });
    await live.publish('alice', 'a', 1);
    const socket = await openSocket();
    const stream = await openStream('text/event-stream');
    expect(stream.response.status).toBe(200);

    const full = { errors: [{ extensions: { code: 'OVERLOADED' } }] };
    const refused = new WebSocket(live.url, 'graphql-transport-ws');
    const [, answer] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(answer.statusCode).toBe(503);
    expect(await json(answer)).toMatchObject(full);
    const other = await openStream('text/event-stream');
    expect(other.response.status).toBe(503);
    expect(JSON.parse(await other.until((text) => text.endsWith('}')))).toMatchObject(full);

    socket.close();
    await until(async () => (await live.value('connections')) === 1);
    await openSocket();
    stream.leave();
    await until(async () => (await live.value('connections')) === 1);
    expect((await openStream('text/event-stream')).response.status).toBe(200);
  });
});
