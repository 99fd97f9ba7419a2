// The payment subgraph's GraphQL: payments of the viewer's own orders.
import type { GraphQLResolverMap } from '@apollo/subgraph';
import { CodedError } from '../../service/errors.ts';
import { requireViewer } from '../../service/identity.ts';
import type { Viewer } from '../../service/identity.ts';
import { DateTime, idInput, parseInput } from '../../service/input.ts';
import { rowLoader, visible } from '../../service/loaders.ts';
import type { Loader } from '../../service/loaders.ts';
import type { SubgraphContext } from '../../service/subgraph-server.ts';
import { publicStatus } from './payment.ts';
import { findPayments, findPaymentsOfOrders } from './persistence.ts';
import type { PaymentRow } from './persistence.ts';
import type { PaymentDependencies } from './use-cases.ts';

export interface PaymentContext extends SubgraphContext {
  /** Decided payments that the viewer may see; null for others. One query for all ids of a tick, whoever asks for them. */
  readonly payments: Loader<PaymentRow>;
  readonly paymentsOfOrders: Loader<PaymentRow>;
}

export const createContexts =
  ({ database }: PaymentDependencies) =>
  (): ((viewer: Viewer | undefined) => PaymentContext) => {
    const payments = rowLoader((ids) => findPayments(database.read(), ids), 'id');
    const paymentsOfOrders = rowLoader((orderIds) => findPaymentsOfOrders(database.read(), orderIds), 'orderId');
    return (viewer) => {
      const isVisible = (row: PaymentRow): boolean => publicStatus(row) !== null && maySee(viewer, row);
      return { viewer, payments: visible(payments, isVisible), paymentsOfOrders: visible(paymentsOfOrders, isVisible) };
    };
  };

const maySee = (viewer: Viewer | undefined, payment: PaymentRow): boolean =>
  viewer !== undefined &&
  (payment.customerId === viewer.sub || viewer.scopes.has('payments:read') || viewer.scopes.has('orders:read:all'));

async function findPayment(id: string, { payments }: PaymentContext): Promise<PaymentRow> {
  const payment = await payments.load(parseInput(idInput, id, 'id'));
  if (payment === null) throw new CodedError('NOT_FOUND');
  return payment;
}

export const resolvers: GraphQLResolverMap<PaymentContext> = {
  DateTime,
  Query: {
    payment: (_: unknown, { id }: { id: string }, context) => findPayment(id, context),
  },
  Payment: {
    __resolveReference: async ({ id }: { id: string }, context: PaymentContext) => {
      requireViewer(context.viewer);
      return findPayment(id, context);
    },
    order: ({ orderId }: PaymentRow) => ({ id: orderId }),
    status: (payment: PaymentRow) => publicStatus(payment),
    amount: ({ amount, currency }: PaymentRow) => ({ amount, currency }),
  },
  Order: {
    // Nothing to look up: an order is known here by its id alone, and its payment is guarded where it is read.
    __resolveReference: async ({ id }: { id: string }) => ({ id: parseInput(idInput, id, 'id') }),
    payment: ({ id }: { id: string }, _: unknown, { paymentsOfOrders }) => paymentsOfOrders.load(id),
  },
};
