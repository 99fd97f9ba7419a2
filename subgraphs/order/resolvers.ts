// The order subgraph's GraphQL: checks arguments, enforces ownership, and calls one use case or query for each field.
import type { GraphQLResolverMap } from '@apollo/subgraph';
import { z } from 'zod';
import { paginate } from '../../service/connection.ts';
import type { PageArguments } from '../../service/connection.ts';
import { CodedError } from '../../service/errors.ts';
import { requireViewer } from '../../service/identity.ts';
import type { Viewer } from '../../service/identity.ts';
import { DateTime, idInput, parseInput, textInput } from '../../service/input.ts';
import { rowLoader, visible } from '../../service/loaders.ts';
import type { Loader } from '../../service/loaders.ts';
import type { SubgraphContext } from '../../service/subgraph-server.ts';
import { driveCancel } from './driver.ts';
import type { DriverDependencies } from './driver.ts';
import type { OrderedItem } from './menu.ts';
import { countMenus, countOrders, findMenus, findOrders, listMenus, listOrders } from './persistence.ts';
import type { MenuRow, OrderFilter, OrderRow } from './persistence.ts';
import { placeOrder, releaseOrder, requestCancel, saveMenu } from './use-cases.ts';

export interface OrderContext extends SubgraphContext {
  /** Orders that the viewer may see, by id; null for others. One query for all ids of a tick, whoever asks for them. */
  readonly orders: Loader<OrderRow>;
  readonly menus: Loader<MenuRow>;
}

const placeOrderInput = z.object({
  items: z
    .array(z.object({ menuId: idInput, quantity: z.int().min(1, 'must be 1 to 99').max(99, 'must be 1 to 99') }))
    .min(1, 'must have 1 to 20 lines')
    .max(20, 'must have 1 to 20 lines'),
  deliveryAddress: textInput(0, 200).nullish(),
  paymentToken: textInput(0, 200).nullish(),
  idempotencyKey: textInput(1, 100).nullish(),
});
const cancelOrderInput = z.object({ orderId: idInput, reason: textInput(0, 200).nullish() });
const releaseOrderInput = z.object({ orderId: idInput });
const saveMenuInput = z.object({
  id: idInput.nullish(),
  name: z.string().trim().pipe(textInput(1, 100)),
  price: z.object({ amount: z.int().min(0, 'must be 0 or more'), currency: z.string() }),
  available: z.boolean().nullish(),
});
const menuKey = z.object({ name: textInput(1, 100), id: z.uuid() });
const customerIdInput = textInput(0, 200).nullish();

export const createContexts =
  ({ database }: DriverDependencies) =>
  (): ((viewer: Viewer | undefined) => OrderContext) => {
    const orders = rowLoader((ids) => findOrders(database.read(), ids), 'id');
    const menus = visible(
      rowLoader((ids) => findMenus(database.read(), ids), 'id'),
      () => true,
    );
    return (viewer) => ({ viewer, orders: visible(orders, (order) => maySee(viewer, order)), menus });
  };

const maySee = (viewer: Viewer | undefined, order: OrderRow): boolean =>
  viewer !== undefined && (order.customerId === viewer.sub || viewer.scopes.has('orders:read:all'));

/** What a loader found, or NOT_FOUND: someone else's is told no differently from none. */
async function found<Row>(row: Promise<Row | null>): Promise<Row> {
  const value = await row;
  if (value === null) throw new CodedError('NOT_FOUND');
  return value;
}

export const createResolvers = (deps: DriverDependencies): GraphQLResolverMap<OrderContext> => {
  const read = () => deps.database.read();
  const pageOfOrders = (args: PageArguments, filter: OrderFilter) =>
    paginate(
      args,
      z.uuid(),
      (order: OrderRow) => order.id,
      (beforeId, limit) => listOrders(read(), filter, beforeId, limit),
      () => countOrders(read(), filter),
    );

  return {
    DateTime,
    Query: {
      menus: (_: unknown, args: PageArguments) =>
        paginate(
          args,
          menuKey,
          ({ name, id }: MenuRow) => ({ name, id }),
          (after, limit) => listMenus(read(), after, limit),
          () => countMenus(read()),
        ),
      menu: (_: unknown, args: { id: string }, { menus }) => found(menus.load(parseInput(idInput, args.id, 'id'))),
      order: (_: unknown, args: { id: string }, { orders }) => found(orders.load(parseInput(idInput, args.id, 'id'))),
      myOrders: (_: unknown, args: PageArguments & Pick<OrderFilter, 'status'>, { viewer }) =>
        pageOfOrders(args, { customerId: requireViewer(viewer).sub, status: args.status ?? null }),
      orders: (_: unknown, args: PageArguments & OrderFilter) =>
        pageOfOrders(args, { ...args, customerId: parseInput(customerIdInput, args.customerId, 'customerId') ?? null }),
    },
    Mutation: {
      placeOrder: async (_: unknown, args: { input: unknown }, { viewer }) => {
        const input = parseInput(placeOrderInput, args.input, 'input');
        const { items, deliveryAddress = null, paymentToken = null, idempotencyKey = null } = input;
        const request = { items, deliveryAddress, paymentToken, idempotencyKey };
        return { order: await placeOrder(deps, requireViewer(viewer), request) };
      },
      cancelOrder: async (_: unknown, args: { input: unknown }, { viewer, orders }) => {
        const { orderId, reason = null } = parseInput(cancelOrderInput, args.input, 'input');
        await requestCancel(deps, requireViewer(viewer), orderId, reason);
        const answer = await driveCancel(deps, orderId);
        if (answer !== undefined) throw new CodedError('ORDER_NOT_CANCELLABLE', answer.refused);
        return { order: await found(orders.loadAgain(orderId)) };
      },
      releaseOrder: async (_: unknown, args: { input: unknown }) => ({
        order: await releaseOrder(deps, parseInput(releaseOrderInput, args.input, 'input').orderId),
      }),
      saveMenu: async (_: unknown, args: { input: unknown }) => {
        const { id = null, name, price, available } = parseInput(saveMenuInput, args.input, 'input');
        return { menu: await saveMenu(deps, { id, name, price, available: available ?? true }) };
      },
    },
    Order: {
      __resolveReference: async ({ id }: { id: string }, { viewer, orders }: OrderContext) => {
        requireViewer(viewer);
        return found(orders.load(parseInput(idInput, id, 'id')));
      },
      items: (order: OrderRow) => order.items.map((item) => ({ ...item, currency: order.currency })),
      total: ({ total, currency }: OrderRow) => ({ amount: total, currency }),
    },
    OrderItem: {
      menu: ({ menuId }: OrderedItem, _: unknown, { menus }) => found(menus.load(menuId)),
      unitPrice: ({ unitPrice, currency }: OrderedItem & { currency: string }) => ({ amount: unitPrice, currency }),
    },
    Menu: {
      __resolveReference: async ({ id }: { id: string }, { menus }: OrderContext) =>
        found(menus.load(parseInput(idInput, id, 'id'))),
      price: ({ price, currency }: MenuRow) => ({ amount: price, currency }),
    },
  };
};
