// The broker's permissions, as Compose and Kubernetes use them: who may publish, serve and hear what.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, Events } from 'nats';
import type { NatsConnection } from 'nats';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { startNats } from '../dev/nats.ts';
import type { Nats } from '../dev/nats.ts';
import { commands, events, streams } from '../schema/events.ts';
import { accountsConfig, natsPassword } from './nats-accounts.ts';

const users = ['order', 'payment', 'delivery', 'router'] as const;
/** What the client calls it when the broker says no. */
const refused = 'PERMISSIONS_VIOLATION';
type User = (typeof users)[number];

let folder: string;
let nats: Nats;
const clients = new Map<User, { connection: NatsConnection; refusals: string[] }>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-nats-'));
  nats = await startNats({ storeDir: join(folder, 'nats'), disposable: true, configExtra: await accountsConfig() });
  for (const user of users) {
    const options = { servers: nats.url.slice('nats://'.length), user, pass: natsPassword(user) };
    const connection = await connect({ ...options, inboxPrefix: `_INBOX.${user}` });
    const refusals: string[] = [];
    clients.set(user, { connection, refusals });
    void (async () => {
      for await (const status of connection.status()) {
        if (status.type === Events.Error && typeof status.data === 'string') refusals.push(status.data);
      }
    })();
  }
});

afterAll(async () => {
  await Promise.all([...clients.values()].map(({ connection }) => connection.close()));
  await nats.close();
  await rm(folder, { recursive: true, force: true });
});

/** What the broker said against an action; undefined when it allowed it. */
async function refusal(user: User, act: (connection: NatsConnection) => void): Promise<string | undefined> {
  const client = clients.get(user);
  if (client === undefined) throw new Error(`${user} is not connected`);
  client.refusals.length = 0;
  act(client.connection);
  // The broker answers in order: what it had to say comes before the answer to this.
  await client.connection.flush();
  await setImmediate();
  return client.refusals[0];
}

const publish = (user: User, subject: string): Promise<string | undefined> =>
  refusal(user, (connection) => connection.publish(subject, '{}'));
const subscribe = (user: User, subject: string): Promise<string | undefined> =>
  refusal(user, (connection) => connection.subscribe(subject, { max: 1, callback: () => undefined }).unsubscribe());

describe('facts', () => {
  const facts = Object.entries(events).map(([type, { stream }]) => {
    const watched = type.endsWith('.status');
    return { subject: watched && stream === 'ORDER' ? `${type}.alice.o1` : `${type}.o1`, owner: stream.toLowerCase() };
  });

  test.each(facts)('$subject is published by $owner and nobody else', async ({ subject, owner }) => {
    for (const user of users) {
      const said = await publish(user, subject);
      expect(said).toBe(user === owner ? undefined : refused);
    }
  });

  test('payment cannot publish order.>', async () => {
    for (const subject of [
      'order.anything',
      'order.placed.o1',
      'order.status.alice.o1',
      'live.order.status.alice.o1',
    ]) {
      expect(await publish('payment', subject)).toBe(refused);
    }
  });

  test('nobody hears the facts by plain subscription, and only the router what is republished for watchers', async () => {
    for (const user of users) {
      expect(await subscribe(user, 'order.>')).toBe(refused);
      const live = await subscribe(user, 'live.order.status.alice.*');
      expect(live).toBe(user === 'router' ? undefined : refused);
    }
  });
});

describe('commands', () => {
  const callers: Readonly<Record<string, User>> = { 'payment.cancel': 'order', 'delivery.cancel': 'payment' };

  test.each(Object.keys(commands))('%s is served by its service and asked by the one that needs it', async (name) => {
    for (const user of users) {
      const served = await subscribe(user, name);
      expect(served).toBe(user === name.split('.')[0] ? undefined : refused);
      const asked = await publish(user, name);
      expect(asked).toBe(user === callers[name] ? undefined : refused);
    }
  });

  test('replies are read only by the one who asked', async () => {
    expect(await subscribe('delivery', '_INBOX.order.>')).toBe(refused);
    expect(await subscribe('router', '_INBOX.>')).toBe(refused);
  });
});

describe('JetStream', () => {
  const streamNames = Object.keys(streams);

  test('a stream is deleted and purged by no process, and made by its owner', async () => {
    for (const user of users) {
      for (const stream of streamNames) {
        for (const verb of ['DELETE', 'PURGE', 'SNAPSHOT', 'RESTORE', 'MSG.DELETE']) {
          expect(await publish(user, `$JS.API.STREAM.${verb}.${stream}`)).toBe(refused);
        }
        const made = await publish(user, `$JS.API.STREAM.CREATE.${stream}`);
        const parks = stream === 'DEAD_LETTER' && user !== 'router';
        expect(made).toBe(user === stream.toLowerCase() || parks ? undefined : refused);
      }
    }
  });

  test('what stands at a place of a stream is read by those who hear it', async () => {
    const heard = { order: streamNames, payment: ['PAYMENT', 'ORDER'], delivery: ['DELIVERY', 'PAYMENT'] };
    for (const [user, own] of Object.entries(heard)) {
      for (const stream of ['ORDER', 'PAYMENT', 'DELIVERY']) {
        const said = await publish(user as User, `$JS.API.STREAM.MSG.GET.${stream}`);
        expect(said).toBe(own.includes(stream) ? undefined : refused);
      }
    }
  });

  test('a durable is managed, read and acknowledged by its service alone', async () => {
    const durables = { 'order-payment': 'PAYMENT', 'order-delivery': 'DELIVERY', 'payment-order': 'ORDER' };
    for (const [durable, stream] of Object.entries({ ...durables, 'delivery-payment': 'PAYMENT' })) {
      for (const subject of [
        `$JS.API.CONSUMER.DELETE.${stream}.${durable}`,
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
        `$JS.ACK.${stream}.${durable}.1.1.1.1.0`,
        `dead-letter.${durable}`,
      ]) {
        for (const user of users) {
          const said = await publish(user, subject);
          expect(said).toBe(user === durable.split('-')[0] ? undefined : refused);
        }
      }
    }
  });
});

test('without the right password nobody comes in', async () => {
  const servers = nats.url.slice('nats://'.length);
  await expect(connect({ servers, reconnect: false })).rejects.toThrow(/authorization/i);
  await expect(connect({ servers, user: 'order', pass: 'wrong', reconnect: false })).rejects.toThrow(/authorization/i);
});
