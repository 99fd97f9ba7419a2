// The delivery subgraph's GraphQL: deliveries of the viewer's own orders, and the rider's list and completion.
import type { GraphQLResolverMap } from '@apollo/subgraph';
import DataLoader from 'dataloader';
import { z } from 'zod';
import type { DeliveryStatus } from '../../schema/events.ts';
import { paginate } from '../../service/connection.ts';
import type { PageArguments } from '../../service/connection.ts';
import { CodedError } from '../../service/errors.ts';
import { requireViewer } from '../../service/identity.ts';
import type { Viewer } from '../../service/identity.ts';
import { DateTime, idInput, parseInput } from '../../service/input.ts';
import type { SubgraphContext } from '../../service/subgraph-server.ts';
import { countDeliveries, findDeliveries, findDeliveriesOfOrders, listDeliveries } from './persistence.ts';
import type { DeliveryRow } from './persistence.ts';
import { completeDelivery } from './use-cases.ts';
import type { DeliveryDependencies } from './use-cases.ts';

export interface DeliveryContext extends SubgraphContext {
  /** Deliveries that the viewer may see; null for others. One query for all ids of a tick. */
  readonly deliveries: DataLoader<string, DeliveryRow | null>;
  readonly deliveriesOfOrders: DataLoader<string, DeliveryRow | null>;
}

const completeDeliveryInput = z.object({ deliveryId: idInput });

export const createContext =
  ({ database }: DeliveryDependencies) =>
  (viewer: Viewer | undefined): DeliveryContext => {
    const visible = (row: DeliveryRow | undefined): DeliveryRow | null =>
      row !== undefined && maySee(viewer, row) ? row : null;
    return {
      viewer,
      deliveries: new DataLoader(async (ids) => {
        const rows = new Map((await findDeliveries(database.read(), ids)).map((row) => [row.id, row]));
        return ids.map((id) => visible(rows.get(id)));
      }),
      deliveriesOfOrders: new DataLoader(async (orderIds) => {
        const found = await findDeliveriesOfOrders(database.read(), orderIds);
        const rows = new Map(found.map((row) => [row.orderId, row]));
        return orderIds.map((orderId) => visible(rows.get(orderId)));
      }),
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
