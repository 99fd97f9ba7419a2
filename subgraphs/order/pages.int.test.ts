// The order subgraph's lists: every row once while others are added, counted only on demand, and every page read from an index.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestOrder } from '../../dev/order-testing.ts';
import type { TestOrder } from '../../dev/order-testing.ts';
import { startInfrastructure } from '../../dev/testing.ts';
import type { Infrastructure } from '../../dev/testing.ts';

let infrastructure: Infrastructure;
let order: TestOrder;
let alice: string;
let operator: string;

beforeAll(async () => {
  infrastructure = await startInfrastructure();
  order = await startTestOrder(infrastructure, { alone: true });
  alice = await order.bearer('alice');
  operator = await order.bearer('olivia', 'orders:read:all');
});

afterAll(async () => {
  await order.close();
  await infrastructure.close();
});

interface Page {
  readonly edges: readonly { readonly cursor: string; readonly node: { readonly id: string } }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

const selection = '{ edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }';

/** A page of a list, which is a field with its further arguments: `orders(status: PAID)`. */
async function page(list: string, first: number, after: string | null, as: string): Promise<Page> {
  const [field = '', filter = ''] = list.split(/[()]/);
  const query = `query ($first: Int, $after: String) { page: ${field}(first: $first, after: $after, ${filter}) ${selection} }`;
  const { data, errors } = await order.ask(query, { variables: { first, after }, as });
  expect(errors).toBeUndefined();
  return (data as { page: Page }).page;
}

const ids = ({ edges }: Page): string[] => edges.map(({ node }) => node.id);

/** The ids of a whole list, page by page; `between` happens after each page. */
async function walk(list: string, first: number, as: string, between: () => Promise<unknown> = async () => undefined) {
  const seen: string[] = [];
  for (let after: string | null = null; ;) {
    const { edges, pageInfo }: Page = await page(list, first, after, as);
    seen.push(...edges.map(({ node }) => node.id));
    if (!pageInfo.hasNextPage) return seen;
    after = pageInfo.endCursor;
    await between();
  }
}

describe('myOrders', () => {
  test('walked page by page shows each order once, newest first, while others are added', async () => {
    const mine: string[] = [];
    for (let each = 0; each < 7; each += 1) mine.unshift(await order.placed({}, alice));
    await order.placed({}, await order.bearer('bob'));
    expect(ids(await page('myOrders', 100, null, alice))).toEqual(mine);
    expect(await walk('myOrders', 2, alice, () => order.place({}, alice))).toEqual(mine);
    expect(await walk('myOrders', 1, alice)).toHaveLength(10);
  });

  test('tells where a page stands', async () => {
    const carol = await order.bearer('carol');
    const [second, first] = [await order.placed({}, carol), await order.placed({}, carol)];
    const start = await page('myOrders', 1, null, carol);
    expect(ids(start)).toEqual([first]);
    const cursor = start.edges[0]?.cursor;
    expect(start.pageInfo).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: cursor,
      endCursor: cursor,
    });
    const end = await page('myOrders', 1, cursor ?? '', carol);
    expect(ids(end)).toEqual([second]);
    expect(end.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    expect(await page('myOrders', 1, end.pageInfo.endCursor, carol)).toMatchObject({
      edges: [],
      pageInfo: { hasNextPage: false, startCursor: null, endCursor: null },
    });
  });

  test('can be only those of a status', async () => {
    const dan = await order.bearer('dan');
    order.settings.initialStatus = 'ON_HOLD';
    const held = await order.placed({}, dan);
    order.settings.initialStatus = 'ORDERED';
    const ordered = await order.placed({}, dan);
    expect(await walk('myOrders(status: ON_HOLD)', 1, dan)).toEqual([held]);
    expect(await walk('myOrders(status: ORDERED)', 1, dan)).toEqual([ordered]);
    expect(await walk('myOrders(status: DELIVERED)', 1, dan)).toEqual([]);
  });

  test('counts all, and only when asked to', async () => {
    const erin = await order.bearer('erin');
    for (let each = 0; each < 3; each += 1) await order.placed({}, erin);
    order.statements.length = 0;
    await page('myOrders', 1, null, erin);
    const counting = () => order.statements.filter(({ sql }) => sql.startsWith('select count('));
    expect(counting()).toEqual([]);
    const { data } = await order.ask('{ myOrders(first: 1) { totalCount } }', { as: erin });
    expect(data).toEqual({ myOrders: { totalCount: 3 } });
    expect(counting()).toHaveLength(1);
  });
});

test('orders shows everyone’s to those who may, or one customer’s', async () => {
  const frank = await order.placed({}, await order.bearer('frank'));
  const grace = await order.placed({}, await order.bearer('grace'));
  expect((await walk('orders', 50, operator)).slice(0, 2)).toEqual([grace, frank]);
  expect(await walk('orders(customerId: "frank")', 50, operator)).toEqual([frank]);
  expect(await walk('orders(customerId: "frank", status: PAID)', 50, operator)).toEqual([]);
  for (const [as, code] of [
    [alice, 'FORBIDDEN'],
    [undefined, 'UNAUTHENTICATED'],
  ] as const) {
    const { data, errors } = await order.ask('{ orders { edges { node { id } } } }', { as });
    expect(data).toBeNull();
    expect(errors).toMatchObject([{ path: ['orders'], extensions: { code } }]);
  }
});

test('menus are open to everyone, by name', async () => {
  const { data } = await order.ask('{ menus(first: 100) { totalCount edges { node { id name price { amount } } } } }');
  const { totalCount, edges } = (data as { menus: Page & { totalCount: number } }).menus;
  expect(totalCount).toBe(edges.length);
  expect(await walk('menus', 3, '')).toEqual(edges.map(({ node }) => node.id));
});

test.each([0, -1, 101])('`first: %d` is refused', async (first) => {
  const { errors } = await order.ask(`{ myOrders(first: ${first}) { edges { node { id } } } }`, { as: alice });
  expect(errors).toMatchObject([{ path: ['myOrders'], extensions: { code: 'BAD_USER_INPUT', argument: 'first' } }]);
});

test('the cursor of another list is refused', async () => {
  const [menus, orders] = [await page('menus', 1, null, ''), await page('myOrders', 1, null, alice)];
  const nul = Buffer.from(JSON.stringify({ name: '\0', id: order.kimbap })).toString('base64url');
  for (const [field, after] of [
    ['myOrders', menus.pageInfo.endCursor],
    ['orders', menus.pageInfo.endCursor],
    ['menus', orders.pageInfo.endCursor],
    ['menus', nul],
  ] as const) {
    const { errors } = await order.ask(`query ($after: String) { ${field}(after: $after) { edges { cursor } } }`, {
      variables: { after },
      as: operator,
    });
    expect(errors).toMatchObject([{ path: [field], extensions: { code: 'BAD_USER_INPUT', argument: 'after' } }]);
  }
});

describe('a page deep in a long list', () => {
  const rows = 20_000;
  beforeAll(async () => {
    await order.database.read().execute(`
      insert into customer_order (id, customer_id, items, total, currency, status, version, drive_attempts, timeline, placed_at, updated_at)
      select ('0190a000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'many-' || n % 2, '[]', 1, 'KRW',
        case when n % 2 = 0 then 'DELIVERED' else 'CANCELLED' end, 1, 0, '[]', now(), now()
      from generate_series(1, ${rows}) n`);
    await order.database.read().execute(`
      insert into menu (id, name, price, currency, available, created_at)
      select gen_random_uuid(), 'dish ' || n / 3, 1, 'KRW', true, now() from generate_series(1, ${rows}) n`);
    await order.database.read().execute('analyze');
  });

  const orderCursor = Buffer.from(JSON.stringify('0190a000-0000-7000-8000-000000000100')).toString('base64url');
  const menuCursor = Buffer.from(
    JSON.stringify({ name: 'dish 5000', id: '80000000-0000-4000-8000-000000000000' }),
  ).toString('base64url');
  const lists: [string, string, string][] = [
    ['myOrders', orderCursor, 'order_by_customer'],
    ['myOrders(status: DELIVERED)', orderCursor, 'order_by_customer_status'],
    ['orders', orderCursor, 'customer_order_pkey'],
    ['orders(status: DELIVERED)', orderCursor, 'order_by_status'],
    ['orders(customerId: "many-1")', orderCursor, 'order_by_customer'],
    ['orders(customerId: "many-0", status: DELIVERED)', orderCursor, 'order_by_customer_status'],
    ['menus', menuCursor, 'menu_by_name'],
  ];
  test.each(lists)('of %s is read from an index and costs what the first one costs', async (list, after) => {
    const viewer = await order.bearer('many-0', 'orders:read:all');
    order.statements.length = 0;
    const found = await page(list, 10, after, viewer);
    expect(found.edges).toHaveLength(10);
    const [statement] = order.statements.filter(({ sql }) => /from "(customer_order|menu)" .* limit /.test(sql));
    const plan = await order.database
      .read()
      .execute<{ 'QUERY PLAN': string }[]>(
        `explain (analyze, costs off, timing off, summary off) ${statement?.sql ?? ''}`,
        [...(statement?.parameters ?? [])],
      );
    const text = plan.map((line) => line['QUERY PLAN']).join('\n');
    expect(text).toMatch(/Index (Only )?Scan/);
    expect(text).toMatch(/Index Cond/);
    expect(text).not.toMatch(/Seq Scan|Sort/);
    // An index that is read from its start would pass over thousands of rows.
    const passedOver = [...text.matchAll(/Rows Removed by [^:]+: (\d+)/g)].map((match) => Number(match[1]));
    expect(Math.max(0, ...passedOver)).toBeLessThan(20);
  });
});
