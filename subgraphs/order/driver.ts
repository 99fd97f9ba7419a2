// Drives orders on that do not move by themselves: cancels until payment's answer is known, and orders that were left behind. What is
// to be done stands in the database (status and due time), so nothing of it is lost with a process.
import { orderStatuses } from '../../schema/events.ts';
import type { Logger } from '../../service/log.ts';
import type { Broker } from '../../service/nats.ts';
import { requestCommand } from '../../service/nats.ts';
import { Counter, Gauge } from '../../service/telemetry.ts';
import type { Registry } from '../../service/telemetry.ts';
import { hasEnded } from './order.ts';
import { claimDrive, countStuckOrders, findOldestMovingOrder, findOrder, listDueOrders } from './persistence.ts';
import type { OrderRow } from './persistence.ts';
import { noteFact, resendOrder } from './use-cases.ts';
import type { OrderDependencies } from './use-cases.ts';

export interface DriverDependencies extends OrderDependencies {
  readonly broker: Broker;
  readonly log: Logger;
}

/** How long one request to payment may take; it asks delivery and the card processor in turn. */
const replyTimeoutMs = 2_000;
/** Pauses between attempts double from the first to the last of these. */
const cancelPauseMs = [1_000, 30_000] as const;
const longestResendPauseMs = 3_600_000;
/** After this many attempts in one status an order is reported as stuck. */
const reportAfterAttempts = 5;
const pollMs = 500;
const batchSize = 50;

/**
 * Asks payment once to cancel, and records the answer. A lost answer means unknown: the order stays CANCELLING and is asked about
 * again, which is safe as payment answers the same however often it is asked.
 * @returns the reason when payment refused.
 */
export async function driveCancel(
  deps: DriverDependencies,
  orderId: string,
): Promise<{ readonly refused: string } | undefined> {
  const order = await findOrder(deps.database.read(), orderId);
  if (order?.status !== 'CANCELLING') return undefined;
  if (!(await claim(deps, order, pauseAfter(order.driveAttempts, ...cancelPauseMs) + replyTimeoutMs))) return undefined;

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
      { error, orderId, attempts: order.driveAttempts + 1 },
      'cancel not confirmed yet; it will be asked again',
    );
  }
  return undefined;
}

/** Starts looking for orders that are due. Several instances share the work. Returns how to stop. */
export function startDriver(deps: DriverDependencies, metrics: Registry): () => Promise<void> {
  const { driven } = driverMetrics(deps, metrics);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();

  const driveOne = async (orderId: string): Promise<void> => {
    const order = await findOrder(deps.database.read(), orderId);
    if (order === null) return;
    if (order.driveAttempts >= reportAfterAttempts) {
      deps.log.error({ orderId, status: order.status, attempts: order.driveAttempts }, 'an order is stuck');
    }
    driven.inc({ status: order.status });
    if (order.status === 'CANCELLING') {
      await driveCancel(deps, orderId);
      return;
    }
    if (!(await claim(deps, order, pauseAfter(order.driveAttempts, deps.stuckAfterMs, longestResendPauseMs)))) return;
    if (await resendOrder(deps, orderId)) {
      deps.log.warn({ orderId, status: order.status }, 'an order has not moved; it was sent again');
    }
  };
  const round = async (): Promise<void> => {
    try {
      // Without a broker nothing can move, and that is no fault of these orders.
      const due = deps.broker.isConnected() ? await listDueOrders(deps.database.read(), deps.now(), batchSize) : [];
      await Promise.all(due.map(({ id }) => driveOne(id)));
    } catch (error) {
      deps.log.warn({ error }, 'due orders could not be driven on; trying again');
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

const claim = (deps: DriverDependencies, order: OrderRow, pauseMs: number): Promise<boolean> =>
  claimDrive(deps.database.read(), order, new Date(deps.now().getTime() + pauseMs));

const pauseAfter = (attempts: number, firstMs: number, longestMs: number): number =>
  Math.min(firstMs * 2 ** attempts, longestMs);

function driverMetrics({ database }: DriverDependencies, registry: Registry) {
  new Gauge({
    name: 'orders_stuck',
    help: `Orders that did not move after being driven on ${String(reportAfterAttempts)} times.`,
    registers: [registry],
    async collect() {
      // Without the database the last value stays, and the other figures can still be read.
      const stuck = await countStuckOrders(database.read(), reportAfterAttempts).catch(() => undefined);
      if (stuck !== undefined) this.set(stuck);
    },
  });
  new Gauge({
    name: 'orders_oldest_open_seconds',
    help: 'Age of the oldest order that is on its way to payment, to delivery or to its cancellation; 0 when there is none.',
    registers: [registry],
    async collect() {
      const oldest = await findOldestMovingOrder(database.read()).catch(() => null);
      if (oldest === null) return;
      this.set(oldest === undefined ? 0 : Math.max(0, (Date.now() - oldest.updatedAt.getTime()) / 1000));
    },
  });
  const driven = new Counter({
    name: 'orders_driven_total',
    help: 'Times that an order was driven on, by the status it was in.',
    labelNames: ['status'],
    registers: [registry],
  });
  for (const status of orderStatuses.filter((one) => !hasEnded(one))) driven.inc({ status }, 0);
  return { driven };
}
