// The sandbox card processor: what any processor must keep, whatever the order in which charges and refunds arrive.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databaseEngines } from '../../dev/database-servers.ts';
import type { DatabaseServer } from '../../dev/database-servers.ts';
import { openDatabase } from '../../service/database.ts';
import type { Database } from '../../service/database.ts';
import type { CardProcessor, ChargeRequest } from './card-processor.ts';
import { migrations } from './migrations/index.ts';
import { createSandboxProcessor, SandboxCharge } from './sandbox-processor.ts';

describe.each(databaseEngines())('on $name', (engine) => {
  let folder: string;
  let server: DatabaseServer;
  let database: Database;
  let processor: CardProcessor;
  let keys = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'baedal-sandbox-'));
    server = await engine.start(folder, ['payment']);
    database = await openDatabase({ url: server.url('payment'), poolSize: 5, entities: [SandboxCharge], migrations });
    await database.migrate();
    processor = createSandboxProcessor({ database, now: () => new Date(), slowMs: 1 });
  });
  afterAll(async () => {
    await database.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const request = (token: string | null): ChargeRequest => {
    keys += 1;
    return {
      idempotencyKey: `key-${String(keys)}`,
      token,
      amount: 9_000,
      currency: 'KRW',
      orderId: `order-${String(keys)}`,
    };
  };
  const refund = ({ idempotencyKey, orderId }: ChargeRequest): Promise<void> =>
    processor.refund({ idempotencyKey: `refund-${idempotencyKey}`, chargeKey: idempotencyKey, orderId });
  const kept = async ({ idempotencyKey }: ChargeRequest): Promise<number> => {
    const { charged, refunded } = await database.read().findOneOrFail(SandboxCharge, { key: idempotencyKey });
    return charged - refunded;
  };
  /** The answer, or the code of the failure. */
  const charge = (one: ChargeRequest): Promise<unknown> =>
    processor.charge(one).catch((error: unknown) => (error as { code: string }).code);

  test('one key is charged once, however often and however many at once', async () => {
    const one = request('tok_visa');
    const answers = await Promise.all(Array.from({ length: 5 }, () => charge(one)));
    expect(answers).toEqual(Array.from({ length: 5 }, () => ({ outcome: 'approved' })));
    expect(await kept(one)).toBe(9_000);
  });

  test('a charge whose answer was lost is not charged again', async () => {
    const one = request('tok_lost_reply');
    expect(await charge(one)).toBe('CARD_PROCESSOR_UNAVAILABLE');
    expect(await kept(one)).toBe(9_000);
    expect(await charge(one)).toEqual({ outcome: 'approved' });
    expect(await kept(one)).toBe(9_000);
  });

  test('a decline stays one', async () => {
    const one = request('tok_declined');
    expect(await charge(one)).toEqual({ outcome: 'declined', reason: 'card_declined' });
    expect(await charge({ ...one, token: 'tok_visa' })).toEqual({ outcome: 'declined', reason: 'card_declined' });
    expect(await kept(one)).toBe(0);
  });

  test('a refund returns all of it, once', async () => {
    const one = request('tok_visa');
    await charge(one);
    await Promise.all([refund(one), refund(one)]);
    await refund(one);
    expect(await kept(one)).toBe(0);
    expect(await charge(one)).toMatchObject({ outcome: 'declined' });
    expect(await kept(one)).toBe(0);
  });

  test('a refund that is there before its charge bars the charge', async () => {
    const one = request('tok_visa');
    await refund(one);
    expect(await charge(one)).toEqual({ outcome: 'declined', reason: 'reversed' });
    expect(await kept(one)).toBe(0);
  });

  test('a refund between a charge that did not reach the processor and the next attempt bars the charge', async () => {
    const one = request('tok_unavailable_1');
    expect(await charge(one)).toBe('CARD_PROCESSOR_UNAVAILABLE');
    await refund(one);
    expect(await charge(one)).toEqual({ outcome: 'declined', reason: 'reversed' });
    expect(await kept(one)).toBe(0);
  });
});
