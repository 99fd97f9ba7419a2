// The order subgraph inside a test, with its sample menu, a clock that can be set forward, and orders made in one line.
import { readSubgraphSdl } from '../schema/compose.ts';
import { consumers } from '../subgraphs/order/consumers.ts';
import { startDriver } from '../subgraphs/order/driver.ts';
import { migrations } from '../subgraphs/order/migrations/index.ts';
import { entities } from '../subgraphs/order/persistence.ts';
import { createContexts, createResolvers } from '../subgraphs/order/resolvers.ts';
import { loadSampleMenu } from '../subgraphs/order/sample-menu.ts';
import { startTestSubgraph } from './subgraph-testing.ts';
import type { Answer, TestSubgraph } from './subgraph-testing.ts';
import type { Infrastructure } from './testing.ts';

export interface TestOrder extends TestSubgraph {
  /** What new orders start in, and how far the clock is ahead; a test may change both. */
  readonly settings: { initialStatus: 'ORDERED' | 'ON_HOLD'; aheadMs: number };
  readonly kimbap: string;
  readonly juice: string;
  /** `placeOrder` of one 김밥, unless `input` says otherwise. */
  place(input: object, as: string): Promise<Answer>;
  /** The id of an order that `place` made. */
  placed(input: object, as: string): Promise<string>;
}

/** Orders are taken for stuck after an hour; without `alone` it also listens to the others and drives its orders on. */
export async function startTestOrder(
  infrastructure: Infrastructure,
  { alone = false }: { readonly alone?: boolean } = {},
): Promise<TestOrder> {
  const settings: TestOrder['settings'] = { initialStatus: 'ORDERED', aheadMs: 0 };
  const order = await startTestSubgraph(infrastructure, {
    name: 'order',
    stream: 'ORDER',
    entities,
    migrations,
    build: ({ database, broker, log, metrics }) => {
      const deps = {
        database,
        broker,
        log,
        now: () => new Date(Date.now() + settings.aheadMs),
        get initialStatus() {
          return settings.initialStatus;
        },
        currency: 'KRW',
        stuckAfterMs: 3_600_000,
      };
      return {
        sdl: readSubgraphSdl('order'),
        resolvers: createResolvers(deps),
        createContexts: createContexts(deps),
        consumers: alone ? [] : consumers(deps),
        starters: alone ? [] : [() => startDriver(deps, metrics)],
      };
    },
  });
  await loadSampleMenu(order.database, 'KRW', new Date());
  const { data } = await order.ask('{ menus { edges { node { id name } } } }');
  const menus = (data as { menus: { edges: { node: { id: string; name: string } }[] } }).menus.edges;
  const idOf = (name: string): string => menus.find(({ node }) => node.name === name)?.node.id ?? '';
  const kimbap = idOf('김밥');

  const place = (input: object, as: string): Promise<Answer> =>
    order.ask('mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id } } }', {
      variables: { input: { items: [{ menuId: kimbap, quantity: 1 }], ...input } },
      as,
    });
  return {
    ...order,
    settings,
    kimbap,
    juice: idOf('주스'),
    place,
    placed: async (input, as) =>
      ((await place(input, as)).data as { placeOrder: { order: { id: string } } }).placeOrder.order.id,
  };
}
