// The whole stack over a broker with accounts: every process does all of its work with no more rights than its user has.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '../dev/nats.ts';
import type { Nats } from '../dev/nats.ts';
import { processNames } from '../dev/stack-addresses.ts';
import { startStack } from '../dev/stack.ts';
import type { Stack } from '../dev/stack.ts';
import { patient, signIn } from './client.ts';
import { accountsConfig, natsPassword } from './nats-accounts.ts';

const kimbap = '0190a000-0000-7000-8000-000000000001';
const place = `mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id } } }`;
const watch = `subscription ($id: ID!) { orderStatusChanged(orderId: $id) { status order { deliveryId } } }`;

let folder: string;
let nats: Nats;
let stack: Stack;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-permissions-'));
  nats = await startNats({ storeDir: join(folder, 'nats'), disposable: true, configExtra: await accountsConfig() });
  const address = nats.url.slice('nats://'.length);
  const environment = Object.fromEntries(
    processNames.map((name) => [name, { ...patient, NATS_URL: `nats://${name}:${natsPassword(name)}@${address}` }]),
  );
  const { PATH, HOME } = process.env;
  stack = await startStack({
    dataDir: join(folder, 'stack'),
    environment,
    // A broker of its own is not started then.
    inherit: { PATH, HOME, NATS_URL: nats.url },
  });
});
afterAll(async () => {
  await stack.stop();
  await nats.close();
  await rm(folder, { recursive: true, force: true });
});

test('orders are paid, delivered, cancelled and watched, and nobody was refused anything', async () => {
  const alice = await signIn(stack, 'alice');
  const rider = await signIn(stack, 'rider', 'deliveries:write');
  interface Placed {
    readonly placeOrder: { readonly order: { readonly id: string } };
  }
  interface Change {
    readonly status: string;
    readonly order: { readonly deliveryId: string | null };
  }
  const input = { items: [{ menuId: kimbap, quantity: 1 }] };

  const { placeOrder: delivered } = await alice.get<Placed>(place, { input });
  const changes = alice.watch<Change>(watch, { id: delivered.order.id });
  const { order } = await changes.until(({ status }) => status === 'DELIVERING');
  await rider.get('mutation ($id: ID!) { completeDelivery(input: { deliveryId: $id }) { delivery { status } } }', {
    id: order.deliveryId,
  });
  await changes.until(({ status }) => status === 'DELIVERED');
  await changes.stop();

  const { placeOrder: cancelled } = await alice.get<Placed>(place, { input });
  const ends = alice.watch<Change>(watch, { id: cancelled.order.id });
  await ends.until(({ status }) => status === 'DELIVERING');
  await alice.get('mutation ($id: ID!) { cancelOrder(input: { orderId: $id }) { order { status } } }', {
    id: cancelled.order.id,
  });
  await ends.until(({ status }) => status === 'CANCELLED');
  await ends.stop();

  for (const name of processNames) {
    expect(await readFile(join(folder, 'stack/logs', `${name}.log`), 'utf8')).not.toMatch(/permissions?.violation/i);
  }
  expect(await readFile(join(nats.storeDir, 'nats.log'), 'utf8')).not.toMatch(/violation/i);
});
