// A broker that is not there yet: connected to when it comes, and not looked for any more once nobody wants it.
import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '../dev/nats.ts';
import { holdFreePort } from '../dev/ports.ts';
import { createLog } from './log.ts';
import { connectBroker } from './nats.ts';

const log = createLog('test', 'silent');

/** Takes connections and ends each at once, as a proxy does whose broker is away. */
async function listenWithoutBroker(port = 0): Promise<{ readonly server: Server; readonly address: string }> {
  const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return { server, address: `127.0.0.1:${String((server.address() as AddressInfo).port)}` };
}

test('closed before its first connection, it tries no more', async () => {
  const { server, address } = await listenWithoutBroker();
  let attempts = 0;
  server.on('connection', () => attempts++);
  const broker = connectBroker({ servers: address, name: 'test', log });
  try {
    while (attempts < 2) await once(server, 'connection');
    await broker.close();
    const tried = attempts;
    // Several times as long as from the first attempt to the second.
    const other = connectBroker({ servers: address, name: 'other', log });
    for (let seen = 0; seen < 4; seen++) await once(server, 'connection');
    await other.close();
    expect(attempts - tried).toBe(4);
    expect(broker.isConnected()).toBe(false);
  } finally {
    server.close();
  }
});

test('closed while it is being connected, it tells nobody of a connection', async () => {
  const broken = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    void broker.close();
    socket.write('INFO {"server_id":"x","version":"2.9.10","proto":1,"headers":true,"max_payload":1048576}\r\n');
    socket.on('data', (said) => {
      if (said.includes('PING')) socket.write('PONG\r\n');
    });
    socket.on('close', broken.resolve);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const broker = connectBroker({ servers: `127.0.0.1:${String(port)}`, name: 'test', log });
  let connections = 0;
  broker.onConnect(() => (connections += 1));
  void broker.connection.then(() => (connections += 1));
  await broken.promise;
  expect(connections).toBe(0);
  server.close();
});

test('it connects to a broker that comes later', async () => {
  // Held until the broker takes it: the port of a server that has gone may be anybody's.
  const held = await holdFreePort();
  const { server, address } = await listenWithoutBroker(held.port);
  const broker = connectBroker({ servers: address, name: 'test', log });
  await once(server, 'connection');
  server.close();
  await once(server, 'close');
  const storeDir = await mkdtemp(join(tmpdir(), 'broker-'));
  const nats = await startNats({ storeDir, disposable: true, port: held.port });
  try {
    await broker.connection;
    expect(broker.isConnected()).toBe(true);
  } finally {
    await broker.close();
    await nats.close();
    held.release();
  }
});
