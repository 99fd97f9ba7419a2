// One exchange with a subgraph over real sockets: answers in pieces, too large, too slow, or not wanted any more.
import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { Pool } from 'undici';
import { exchange } from './subgraph-exchange.ts';
import type { ExchangeRequest } from './subgraph-exchange.ts';

let server: Server;
let pool: Pool;

afterEach(async () => {
  await pool.destroy();
  server.closeAllConnections();
  server.close();
});

async function serve(answer: (response: ServerResponse, body: string) => void, connections = 1): Promise<void> {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => answer(response, body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  pool = new Pool(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, { connections });
}

const ask = (more: Partial<ExchangeRequest> = {}): ReturnType<typeof exchange> =>
  exchange(pool, {
    path: '/',
    headers: ['content-type', 'application/json'],
    body: '{}',
    leftMs: 10_000,
    maxBytes: 1_000_000,
    signal: undefined,
    ...more,
  });

describe('an answer', () => {
  test('comes with its status and Retry-After, the body was sent whole', async () => {
    await serve((response, body) => response.writeHead(503, { 'retry-after': '7' }).end(body));
    const body = JSON.stringify({ query: `{ ${'주문 '.repeat(5_000)} }` });
    expect(await ask({ body })).toEqual({
      statusCode: 503,
      retryAfter: '7',
      text: body,
      bytes: Buffer.byteLength(body),
    });
  });

  test('may come in pieces that cut characters', async () => {
    await serve((response) => {
      const bytes = Buffer.from('배달');
      response.write(bytes.subarray(0, 2));
      setImmediate(() => {
        response.write(bytes.subarray(2, 4));
        setImmediate(() => response.end(bytes.subarray(4)));
      });
    });
    expect((await ask()).text).toBe('배달');
  });

  test('may be empty', async () => {
    await serve((response) => response.writeHead(204).end());
    expect(await ask()).toMatchObject({ statusCode: 204, text: '' });
  });

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
  ])('may be compressed although nobody asked for it: %s', async (encoding, compress) => {
    const large = 'x'.repeat(50_000);
    await serve((response, body) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(compress(body === '"large"' ? large : '배달'));
    });
    expect((await ask()).text).toBe('배달');
    expect((await ask({ body: '"large"', maxBytes: 50_000 })).text).toBe(large);
    await expect(ask({ body: '"large"', maxBytes: 49_999 })).rejects.toMatchObject({ reason: 'too-large' });
  });

  test('in an encoding that is not known, or not what it says, is a bad one', async () => {
    await serve((response, body) =>
      response.writeHead(200, { 'content-encoding': JSON.parse(body) as string }).end('x'),
    );
    for (const encoding of ['gzip', 'compress']) {
      await expect(ask({ body: JSON.stringify(encoding) })).rejects.toMatchObject({ reason: 'bad-answer' });
    }
  });

  test('that is too large is cut off, and the next exchange is served', async () => {
    await serve((response, body) => response.end('x'.repeat(JSON.parse(body) as number)));
    await expect(ask({ body: '1001', maxBytes: 1_000 })).rejects.toMatchObject({ reason: 'too-large' });
    expect(await ask({ body: '1000', maxBytes: 1_000 })).toMatchObject({ bytes: 1_000 });
  });

  test('that has no end is cut off as soon as it is too large', async () => {
    const cut = Promise.withResolvers<void>();
    await serve((response) => {
      response.once('close', cut.resolve);
      const more = (): void => void response.write('x'.repeat(500), () => response.destroyed || setImmediate(more));
      more();
    });
    await expect(ask({ maxBytes: 1_000 })).rejects.toMatchObject({ reason: 'too-large' });
    await cut.promise;
  });

  test('whose rest comes after the time is over is given up', async () => {
    await serve((response) => {
      response.write('a');
      setTimeout(() => response.write('b'), 60);
    });
    await expect(ask({ leftMs: 50 })).rejects.toMatchObject({ reason: 'timeout' });
  });

  test('that ends with its connection is an error', async () => {
    await serve((response) => {
      response.writeHead(200, { 'content-length': '10' }).write('a');
      setImmediate(() => response.destroy());
    });
    await expect(ask()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
  });
});

describe('a signal', () => {
  test('ends what is under way, and its connection', async () => {
    const controller = new AbortController();
    const closed = Promise.withResolvers<void>();
    await serve((response) => {
      response.once('close', () => closed.resolve());
      controller.abort();
    });
    await expect(ask({ signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    await closed.promise;
  });

  test('that was given before asks nothing', async () => {
    let asked = 0;
    await serve((response) => {
      asked++;
      response.end('answer');
    });
    await expect(ask({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect((await ask()).text).toBe('answer');
    expect(asked).toBe(1);
  });

  test('ends what waits for a connection, and leaves what uses it', async () => {
    const controller = new AbortController();
    const answers: ServerResponse[] = [];
    const bodies: string[] = [];
    await serve((response, body) => {
      bodies.push(body);
      answers.push(response);
      if (body === '"first"') controller.abort();
      else response.end(body);
    });
    const first = ask({ body: '"first"' });
    const second = ask({ body: '"second"', signal: controller.signal });
    const third = ask({ body: '"third"' });
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    answers[0]?.end('done');
    expect((await first).text).toBe('done');
    expect((await third).text).toBe('"third"');
    expect(bodies).toEqual(['"first"', '"third"']);
  });
});
