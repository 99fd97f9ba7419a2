// The delivery subgraph's GraphQL: deliveries of the viewer's own orders, and the rider's list and completion.
import type { GraphQLResolverMap } from '@apollo/subgraph';
import { z } from 'zod';
import type { DeliveryStatus } from '../../schema/events.ts';
import { paginate } from '../../service/connection.ts';
import type { PageArguments } from '../../service/connection.ts';
import { CodedError } from '../../service/errors.ts';
import { requireViewer } from '../../service/identity.ts';
import type { Viewer } from '../../service/identity.ts';
import { DateTime, idInput, parseInput } from '../../service/input.ts';
import { rowLoader, visible } from '../../service/loaders.ts';
import type { Loader } from '../../service/loaders.ts';
import type { SubgraphContext } from '../../service/subgraph-server.ts';
import { countDeliveries, findDeliveries, findDeliveriesOfOrders, listDeliveries } from './persistence.ts';
import type { DeliveryRow } from './persistence.ts';
import { completeDelivery } from './use-cases.ts';
import type { DeliveryDependencies } from './use-cases.ts';

export interface DeliveryContext extends SubgraphContext {
  /** Deliveries that the viewer may see; null for others. One query for all ids of a tick, whoever asks for them. */
  readonly deliveries: Loader<DeliveryRow>;
  readonly deliveriesOfOrders: Loader<DeliveryRow>;
}

const completeDeliveryInput = z.object({ deliveryId: idInput });

export const createContexts =
  ({ database }: DeliveryDependencies) =>
  (): ((viewer: Viewer | undefined) => DeliveryContext) => {
    const deliveries = rowLoader((ids) => findDeliveries(database.read(), ids), 'id');
    const deliveriesOfOrders = rowLoader((orderIds) => findDeliveriesOfOrders(database.read(), orderIds), 'orderId');
    return (viewer) => {
      const isVisible = (row: DeliveryRow): boolean => maySee(viewer, row);
      return {
        viewer,
        deliveries: visible(deliveries, isVisible),
        deliveriesOfOrders: visible(deliveriesOfOrders, isVisible),
      };
    };
  };

const maySee = (viewer: Viewer | undefined, delivery: DeliveryRow): boolean =>
  viewer !== undefined &&
  (delivery.customerId === viewer.sub || viewer.scopes.has('deliveries:read') || viewer.scopes.has('orders:read:all'));

async function findDelivery(id: string, { deliveries }: DeliveryContext): Promise<DeliveryRow> {
  const delivery = await deliveries.load(parseInput(idInput, id, 'id'));
  if (delivery === null) throw new CodedError('NOT_FOUND');
  return delivery;
}

export const createResolvers = (deps: DeliveryDependencies): GraphQLResolverMap<DeliveryContext> => ({
  DateTime,
  Query: {
    delivery: (_: unknown, { id }: { id: string }, context) => findDelivery(id, context),
    deliveries: (_: unknown, args: PageArguments & { status?: DeliveryStatus | null }) =>
      paginate(
        args,
        z.uuid(),
        (delivery: DeliveryRow) => delivery.id,
        (beforeId, limit) => listDeliveries(deps.database.read(), args.status ?? null, beforeId, limit),
        () => countDeliveries(deps.database.read(), args.status ?? null),
      ),
  },
  Mutation: {
    completeDelivery: async (_: unknown, args: { input: unknown }) => ({
      delivery: await completeDelivery(deps, parseInput(completeDeliveryInput, args.input, 'input').deliveryId),
    }),
  },
  Delivery: {
    __resolveReference: async ({ id }: { id: string }, context: DeliveryContext) => {
      requireViewer(context.viewer);
      return findDelivery(id, context);
    },
    order: ({ orderId }: DeliveryRow) => ({ id: orderId }),
  },
  Order: {
    // Nothing to look up: an order is known here by its id alone, and its delivery is guarded where it is read.
    __resolveReference: async ({ id }: { id: string }) => ({ id: parseInput(idInput, id, 'id') }),
    delivery: ({ id }: { id: string }, _: unknown, { deliveriesOfOrders }) => deliveriesOfOrders.load(id),
  },
});
