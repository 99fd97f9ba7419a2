// A card processor for development and tests. It keeps its books in tables of its own and shares no transaction with payments.
import { setTimeout as delay } from 'node:timers/promises';
import { defineEntity, p } from '@mikro-orm/core';
import type { InferEntity } from '@mikro-orm/core';
import { insertNewRows } from '../../service/database-rows.ts';
import { forUpdate } from '../../service/database.ts';
import type { Database } from '../../service/database.ts';
import { CodedError } from '../../service/errors.ts';
import type { CardProcessor, ChargeRequest, ChargeResult } from './card-processor.ts';

/** One line in the processor's books for each charge key. */
export const SandboxCharge = defineEntity({
  name: 'SandboxCharge',
  tableName: 'sandbox_charge',
  properties: {
    key: p.string().length(100).primary(),
    orderId: p.string().length(100),
    amount: p.integer(),
    currency: p.string().length(3),
    /** APPROVED: money taken. DECLINED: not taken. REVERSED: refunded, or barred before it was charged. */
    status: p.enum(['APPROVED', 'DECLINED', 'REVERSED']),
    declineReason: p.string().strictNullable(),
    /** Minor units that were taken, and that were given back. */
    charged: p.integer(),
    refunded: p.integer(),
    refundKey: p.string().length(100).strictNullable(),
    attempts: p.integer(),
    createdAt: p.datetime(3),
  },
});

export interface SandboxOptions {
  readonly database: Database;
  readonly now: () => Date;
  /** Milliseconds that `tok_slow` takes. */
  readonly slowMs: number;
}

/**
 * Test tokens: any other, or none, is approved.
 * - `tok_declined`: declined.
 * - `tok_slow`: approved after `slowMs`.
 * - `tok_unavailable_N` (N 1..9): not reachable for the first N attempts, then approved.
 * - `tok_lost_reply`: charged, but the first answer is lost on the way back.
 */
export function createSandboxProcessor({ database, now, slowMs }: SandboxOptions): CardProcessor {
  return {
    async charge(request) {
      if (request.token === 'tok_slow') await delay(slowMs);
      const { attempts, result } = await book(request);
      const lost = request.token === 'tok_lost_reply' && attempts === 1;
      if (result === undefined || lost) throw new CodedError('CARD_PROCESSOR_UNAVAILABLE');
      return result;
    },
    async refund({ chargeKey, idempotencyKey, orderId }) {
      await database.transaction(async (em) => {
        const charge = await em.findOne(SandboxCharge, { key: chargeKey }, forUpdate);
        if (charge === null) {
          const barred = { key: chargeKey, orderId, amount: 0, currency: 'XXX', status: 'REVERSED' as const };
          const booked = { declineReason: 'reversed', charged: 0, refunded: 0, refundKey: idempotencyKey, attempts: 0 };
          em.create(SandboxCharge, { ...barred, ...booked, createdAt: now() }, { persist: true });
        } else if (charge.status !== 'REVERSED') {
          charge.status = 'REVERSED';
          // A charge that never got through is decided now, so that a late attempt finds it barred.
          if (charge.declineReason === 'pending') charge.declineReason = 'reversed';
          charge.refunded = charge.charged;
          charge.refundKey = idempotencyKey;
        }
      });
    },
  };

  /** Books an attempt and decides it, once for each key. No result: this attempt does not reach the processor. */
  async function book(request: ChargeRequest): Promise<{ attempts: number; result: ChargeResult | undefined }> {
    const { idempotencyKey: key, orderId, amount, currency } = request;
    const first = {
      ...{ key, orderId, amount, currency, status: 'DECLINED' as const, declineReason: 'pending', charged: 0 },
      ...{ refunded: 0, refundKey: null, attempts: 0, createdAt: now() },
    };
    const firstResult = attempt(first, request);
    const inserted = await insertNewRows(database.read(), SandboxCharge, [first], ['key']);
    if (inserted === 1) return { attempts: first.attempts, result: firstResult };
    return database.transaction(async (em) => {
      const charge = await em.findOneOrFail(SandboxCharge, { key }, forUpdate);
      return { result: attempt(charge, request), attempts: charge.attempts };
    });
  }
}

type Books = Pick<InferEntity<typeof SandboxCharge>, 'status' | 'declineReason' | 'charged' | 'attempts'>;

/** One more attempt on a line in the books; gives nothing when it does not reach the processor. */
function attempt(charge: Books, { token, amount }: ChargeRequest): ChargeResult | undefined {
  charge.attempts += 1;
  const failures = Number(/^tok_unavailable_([1-9])$/.exec(token ?? '')?.[1] ?? 0);
  if (charge.attempts <= failures) return undefined;
  if (charge.declineReason === 'pending') {
    const declined = token === 'tok_declined';
    charge.status = declined ? 'DECLINED' : 'APPROVED';
    charge.declineReason = declined ? 'card_declined' : null;
    charge.charged = declined ? 0 : amount;
  }
  return charge.status === 'APPROVED'
    ? { outcome: 'approved' }
    : { outcome: 'declined', reason: charge.declineReason ?? 'reversed' };
}
