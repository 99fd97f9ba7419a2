// Carries cancels through: asks payment until its answer is known. The intent is stored (CANCELLING), so nothing here may be lost.
import type { Broker } from '../../service/nats.ts';
import { requestCommand } from '../../service/nats.ts';
import type { Logger } from '../../service/log.ts';
import { claimCancel, findOrder, listDueCancels } from './persistence.ts';
import { noteFact } from './use-cases.ts';
import type { OrderDependencies } from './use-cases.ts';

export interface CancellationDependencies extends OrderDependencies {
  readonly broker: Broker;
  readonly log: Logger;
}

/** How long one request to payment may take; it asks delivery and the card processor in turn. */
const replyTimeoutMs = 2_000;
const pollMs = 500;
const batchSize = 50;

/**
 * Asks payment once to cancel, and records the answer. A lost answer means unknown: the order stays CANCELLING and is asked about
 * again, which is safe as payment answers the same however often it is asked.
 * @returns the reason when payment refused.
 */
export async function driveCancel(
  deps: CancellationDependencies,
  orderId: string,
): Promise<{ readonly refused: string } | undefined> {
  const order = await findOrder(deps.database.read(), orderId);
  if (order?.status !== 'CANCELLING') return undefined;
  const pauseMs = Math.min(1_000 * 2 ** order.cancelAttempts, 30_000) + replyTimeoutMs;
  const claimed = await claimCancel(deps.database.read(), order, new Date(deps.now().getTime() + pauseMs));
  if (!claimed) return undefined;

  const { customerId, total, currency, statusReason } = order;
  try {
    const reply = await requestCommand(
      deps.broker,
      'payment.cancel',
      { orderId, customerId, amount: { amount: total, currency }, reason: statusReason },
      replyTimeoutMs,
    );
    if (reply.outcome === 'cancelled') await noteFact(deps, orderId, { type: 'paymentCancelled' });
    if (reply.outcome === 'refused') {
      await noteFact(deps, orderId, { type: 'cancelRefused', reason: reply.reason });
      return { refused: reply.reason };
    }
  } catch (error) {
    deps.log.warn(
      { error, orderId, attempts: order.cancelAttempts + 1 },
      'cancel not confirmed yet; it will be asked again',
    );
  }
  return undefined;
}

/** Drives every cancel that is still open, also those of a process that died. Returns how to stop. */
export function startCancelDriver(deps: CancellationDependencies): () => Promise<void> {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const round = async (): Promise<void> => {
    try {
      const due = deps.broker.isConnected() ? await listDueCancels(deps.database.read(), deps.now(), batchSize) : [];
      await Promise.all(due.map(({ id }) => driveCancel(deps, id)));
    } catch (error) {
      deps.log.warn({ error }, 'open cancels could not be read; trying again');
    }
  };
  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      running = round().finally(schedule);
    }, pollMs);
  };
  schedule();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  };
}
