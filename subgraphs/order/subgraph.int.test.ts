// The order subgraph asked directly over HTTP, over a real database: what it takes, what it refuses, and to whom it says what.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestOrder } from '../../dev/order-testing.ts';
import type { TestOrder } from '../../dev/order-testing.ts';
import type { Answer } from '../../dev/subgraph-testing.ts';
import { startInfrastructure } from '../../dev/testing.ts';
import type { Infrastructure } from '../../dev/testing.ts';

let infrastructure: Infrastructure;
let order: TestOrder;
let alice: string;
let bob: string;
let operator: string;
let kimbap: string;
let juice: string;

beforeAll(async () => {
  infrastructure = await startInfrastructure();
  order = await startTestOrder(infrastructure, { alone: true });
  ({ kimbap, juice } = order);
  alice = await order.bearer('alice');
  bob = await order.bearer('bob');
  operator = await order.bearer('olivia', 'orders:read:all orders:release menus:write');
});

afterAll(async () => {
  await order.close();
  await infrastructure.close();
});

const place = (input: object, as = alice): Promise<Answer> => order.place(input, as);
const placed = (input: object = {}, as = alice): Promise<string> => order.placed(input, as);

/** The rows that anything asked of this subgraph could have written. */
const rows = (): Promise<number[]> => order.count('customer_order', 'menu', 'outbox');

/** Expects that nothing is written meanwhile. */
async function writingNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await rows();
  const result = await work();
  expect(await rows()).toEqual(before);
  return result;
}

describe('placeOrder', () => {
  test('stores the order with names and prices as they are now, and tells payment', async () => {
    const [ordersBefore = 0, , eventsBefore = 0] = await rows();
    const { data } = await order.ask(
      `mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { order {
        id customerId total { amount currency } deliveryAddress status version statusReason deliveryId deliveryStatus
        items { menuName quantity unitPrice { amount currency } menu { id name } } timeline { status reason }
      } } }`,
      {
        as: alice,
        variables: {
          input: {
            items: [
              { menuId: kimbap.toUpperCase(), quantity: 2 },
              { menuId: juice, quantity: 1 },
            ],
            deliveryAddress: '서울시 종로구 1',
            paymentToken: 'tok_visa',
          },
        },
      },
    );
    expect(data).toEqual({
      placeOrder: {
        order: {
          id: expect.any(String),
          customerId: 'alice',
          total: { amount: 11_500, currency: 'KRW' },
          deliveryAddress: '서울시 종로구 1',
          status: 'ORDERED',
          version: 1,
          statusReason: null,
          deliveryId: null,
          deliveryStatus: null,
          items: [
            {
              menuName: '김밥',
              quantity: 2,
              unitPrice: { amount: 4_000, currency: 'KRW' },
              menu: { id: kimbap, name: '김밥' },
            },
            {
              menuName: '주스',
              quantity: 1,
              unitPrice: { amount: 3_500, currency: 'KRW' },
              menu: { id: juice, name: '주스' },
            },
          ],
          timeline: [{ status: 'ORDERED', reason: null }],
        },
      },
    });
    const [ordersAfter, , eventsAfter] = await rows();
    expect([ordersAfter, eventsAfter]).toEqual([ordersBefore + 1, eventsBefore + 2]);
  });

  test('with the same key by the same customer is one order, also ten times at once', async () => {
    const [before = 0] = await rows();
    const first = await placed({ idempotencyKey: 'one' });
    expect(await placed({ idempotencyKey: 'one', items: [{ menuId: juice, quantity: 9 }] })).toBe(first);
    expect(await placed({ idempotencyKey: 'one' }, bob)).not.toBe(first);
    const atOnce = await Promise.all(Array.from({ length: 10 }, () => placed({ idempotencyKey: 'ten' })));
    expect(new Set(atOnce).size).toBe(1);
    expect((await rows())[0]).toBe(before + 3);
  });

  const line = (quantity: unknown) => ({ items: [{ menuId: kimbap, quantity }] });
  const refused: [string, () => object, string, string][] = [
    [
      'a menu that does not exist',
      () => ({ items: [line(1).items[0], { menuId: crypto.randomUUID(), quantity: 1 }] }),
      'MENU_NOT_FOUND',
      'input.items.1.menuId',
    ],
    ['quantity 0', () => line(0), 'BAD_USER_INPUT', 'input.items.0.quantity'],
    ['quantity 100', () => line(100), 'BAD_USER_INPUT', 'input.items.0.quantity'],
    ['a negative quantity', () => line(-1), 'BAD_USER_INPUT', 'input.items.0.quantity'],
    ['no line', () => ({ items: [] }), 'BAD_USER_INPUT', 'input.items'],
    [
      '21 lines',
      () => ({ items: Array.from({ length: 21 }, () => line(1).items[0]) }),
      'BAD_USER_INPUT',
      'input.items',
    ],
    [
      'a menu id that is none',
      () => ({ items: [{ menuId: '1', quantity: 1 }] }),
      'BAD_USER_INPUT',
      'input.items.0.menuId',
    ],
    [
      'an address of 201 characters',
      () => ({ deliveryAddress: 'a'.repeat(201) }),
      'BAD_USER_INPUT',
      'input.deliveryAddress',
    ],
    ['an address with U+0000', () => ({ deliveryAddress: 'a\0b' }), 'BAD_USER_INPUT', 'input.deliveryAddress'],
    [
      'a payment token of 201 characters',
      () => ({ paymentToken: 'a'.repeat(201) }),
      'BAD_USER_INPUT',
      'input.paymentToken',
    ],
    ['an empty key', () => ({ idempotencyKey: '' }), 'BAD_USER_INPUT', 'input.idempotencyKey'],
    ['a key of 101 characters', () => ({ idempotencyKey: 'a'.repeat(101) }), 'BAD_USER_INPUT', 'input.idempotencyKey'],
  ];
  test.each(refused)('refuses %s and writes nothing', async (_, input, code, argument) => {
    const { data, errors } = await writingNothing(() => place(input()));
    expect(data).toBeNull();
    expect(errors).toMatchObject([{ path: ['placeOrder'], extensions: { code, argument } }]);
  });

  test.each(['many', 1.5, 2_147_483_648, null])(
    'refuses quantity %j, which is no Int, before anything runs',
    async (quantity) => {
      const { errors } = await writingNothing(() => place(line(quantity)));
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    },
  );

  test('refuses an amount that overflows, and takes the largest that does not', async () => {
    const input = { name: '금', price: { amount: 2_147_483_647, currency: 'KRW' } };
    const saved = await order.ask('mutation ($input: SaveMenuInput!) { saveMenu(input: $input) { menu { id } } }', {
      variables: { input },
      as: operator,
    });
    const gold = (saved.data as { saveMenu: { menu: { id: string } } }).saveMenu.menu.id;
    const items = [{ menuId: gold, quantity: 1 }];
    expect((await place({ items })).errors).toBeUndefined();
    for (const tooMuch of [[{ menuId: gold, quantity: 99 }], [...items, { menuId: kimbap, quantity: 1 }]]) {
      const { errors } = await writingNothing(() => place({ items: tooMuch }));
      expect(errors).toMatchObject([{ path: ['placeOrder'], extensions: { code: 'AMOUNT_TOO_LARGE' } }]);
    }
  });
});

describe('a request', () => {
  const post = (body: string | Buffer, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(order.url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', authorization: alice, ...headers },
    });
  const body = (query: string): string => JSON.stringify({ query });

  const unfit: [string, () => Promise<Response>, number, string][] = [
    ['that is not JSON', () => post('{"query": '), 400, 'BAD_REQUEST'],
    ['that is empty', () => post(''), 400, 'BAD_REQUEST'],
    ['that is JSON but no GraphQL request', () => post('[1]'), 400, 'BAD_REQUEST'],
    ['over the limit', () => post(body(`{ menu(id: "${'0'.repeat(1_048_576)}") { id } }`)), 413, 'PAYLOAD_TOO_LARGE'],
    [
      'of another type',
      () => post('query=1', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'BAD_REQUEST',
    ],
    ['that cannot be parsed', () => post(body('{ menu(')), 400, 'GRAPHQL_PARSE_FAILED'],
    ['that does not fit the schema', () => post(body('{ secret }')), 400, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'with a token that does not hold',
      () => post(body('{ menus { totalCount } }'), { authorization: 'Bearer x' }),
      401,
      'UNAUTHENTICATED',
    ],
    [
      'that would change something by GET',
      () =>
        fetch(`${order.url}?query=mutation{saveMenu(input:{name:"a",price:{amount:1,currency:"KRW"}}){menu{id}}}`, {
          headers: { authorization: operator, 'apollo-require-preflight': 'yes' },
        }),
      405,
      'BAD_REQUEST',
    ],
  ];
  test.each(unfit)('%s is refused, and writes nothing', async (_, send, status, code) => {
    const response = await writingNothing(send);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ errors: [{ message: expect.any(String), extensions: { code } }] });
  });

  test('never shows the schema by introspection here, nor a stack', async () => {
    const { errors } = await order.ask('{ __schema { types { name } } }');
    expect(errors).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }]);
    expect(JSON.stringify(errors)).not.toContain('stack');
  });
});

describe('an order', () => {
  const byId = 'query ($id: ID!) { order(id: $id) { id status } }';
  const entity = `query ($id: ID!) { _entities(representations: [{ __typename: "Order", id: $id }]) { ... on Order { id customerId total { amount } } } }`;

  test.each(['', 'x', '1', '*', "' or 1=1", '0190a000-0000-7000-8000-00000000000'])(
    'with the id "%s" is bad input',
    async (id) => {
      const { data, errors } = await order.ask(byId, { variables: { id }, as: alice });
      expect(data).toEqual({ order: null });
      expect(errors).toMatchObject([{ path: ['order'], extensions: { code: 'BAD_USER_INPUT', argument: 'id' } }]);
    },
  );

  test('is shown to its customer and to who may read all', async () => {
    const id = await placed();
    for (const as of [alice, operator]) {
      expect((await order.ask(byId, { variables: { id }, as })).data).toEqual({ order: { id, status: 'ORDERED' } });
      expect((await order.ask(entity, { variables: { id }, as })).data).toMatchObject({
        _entities: [{ id, customerId: 'alice' }],
      });
    }
  });

  test('reveals nothing to others: it is answered like one that does not exist', async () => {
    const id = await placed();
    const theirs = await order.ask(byId, { variables: { id }, as: bob });
    expect(theirs.errors).toMatchObject([{ path: ['order'], extensions: { code: 'NOT_FOUND' } }]);
    expect(await order.ask(byId, { variables: { id: crypto.randomUUID() }, as: bob })).toEqual(theirs);
    const reference = await order.ask(entity, { variables: { id }, as: bob });
    expect(reference.data).toEqual({ _entities: [null] });
    expect(await order.ask(entity, { variables: { id: crypto.randomUUID() }, as: bob })).toEqual(reference);
  });

  test('reveals nothing without a token', async () => {
    const id = await placed();
    for (const [query, path] of [
      [byId, 'order'],
      [entity, '_entities'],
    ] as const) {
      const { data, errors } = await order.ask(query, { variables: { id } });
      expect(JSON.stringify(data)).not.toContain(id);
      expect(errors).toMatchObject([{ path: expect.arrayContaining([path]), extensions: { code: 'UNAUTHENTICATED' } }]);
    }
    const list = await order.ask('{ myOrders { edges { node { id } } } }');
    expect(list).toMatchObject({
      data: null,
      errors: [{ path: ['myOrders'], extensions: { code: 'UNAUTHENTICATED' } }],
    });
  });

  test('of another customer cannot be cancelled, and the attempt writes nothing', async () => {
    const id = await placed();
    const cancelling = 'mutation ($id: ID!) { cancelOrder(input: { orderId: $id }) { order { id } } }';
    for (const as of [bob, operator]) {
      const { errors } = await writingNothing(() => order.ask(cancelling, { variables: { id }, as }));
      expect(errors).toMatchObject([{ path: ['cancelOrder'], extensions: { code: 'NOT_FOUND' } }]);
    }
    expect((await order.ask(byId, { variables: { id }, as: alice })).data).toEqual({
      order: { id, status: 'ORDERED' },
    });
  });

  test('is read with many others in one query', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => placed()));
    const theirs = await placed({}, bob);
    const representations = [...ids, theirs, ...ids].map((id) => ({ __typename: 'Order', id }));
    order.statements.length = 0;
    const { data } = await order.ask(
      'query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Order { id items { menu { name } } } } }',
      { variables: { representations }, as: alice },
    );
    expect((data as { _entities: ({ id: string } | null)[] })._entities.map((one) => one?.id ?? null)).toEqual([
      ...ids,
      null,
      ...ids,
    ]);
    const tables = order.statements.map(({ sql }) => /^select .* from "(customer_order|menu)"/.exec(sql)?.[1]);
    expect(tables.filter((table) => table !== undefined)).toEqual(['customer_order', 'menu']);
  });
});

describe('saveMenu', () => {
  const saving =
    'mutation ($input: SaveMenuInput!) { saveMenu(input: $input) { menu { id name available price { amount currency } } } }';
  const save = (input: object, as: string | undefined = operator) =>
    order.ask(saving, {
      variables: { input: { name: '수제비', price: { amount: 8_000, currency: 'KRW' }, ...input } },
      as,
    });
  const saved = async (input: object) => (await save(input)).data as { saveMenu: { menu: { id: string } } };

  test('creates a menu, then changes it; orders keep what they were placed with', async () => {
    const { id } = (await saved({ name: ' 수제비 ' })).saveMenu.menu;
    const orderId = await placed({ items: [{ menuId: id, quantity: 1 }] });
    expect(
      await saved({ id, name: '감자 수제비', price: { amount: 9_000, currency: 'KRW' }, available: false }),
    ).toEqual({
      saveMenu: { menu: { id, name: '감자 수제비', available: false, price: { amount: 9_000, currency: 'KRW' } } },
    });
    const { data } = await order.ask(
      `{ order(id: "${orderId}") { items { menuName unitPrice { amount } menu { name } } } }`,
      { as: alice },
    );
    expect(data).toEqual({
      order: { items: [{ menuName: '수제비', unitPrice: { amount: 8_000 }, menu: { name: '감자 수제비' } }] },
    });
    const { errors } = await writingNothing(() => place({ items: [{ menuId: id, quantity: 1 }] }));
    expect(errors).toMatchObject([{ extensions: { code: 'MENU_UNAVAILABLE', argument: 'input.items.0.menuId' } }]);
  });

  const refused: [string, object, string, string | undefined][] = [
    ['an empty name', { name: '' }, 'BAD_USER_INPUT', 'input.name'],
    ['a blank name', { name: ' \t' }, 'BAD_USER_INPUT', 'input.name'],
    ['a name of 101 characters', { name: 'a'.repeat(101) }, 'BAD_USER_INPUT', 'input.name'],
    ['a negative price', { price: { amount: -1, currency: 'KRW' } }, 'BAD_USER_INPUT', 'input.price.amount'],
    ['another currency', { price: { amount: 1, currency: 'USD' } }, 'BAD_USER_INPUT', 'input.price.currency'],
    ['an id that is none', { id: 'x' }, 'BAD_USER_INPUT', 'input.id'],
    ['an id that nothing has', { id: crypto.randomUUID() }, 'NOT_FOUND', 'input.id'],
  ];
  test.each(refused)('refuses %s and writes nothing', async (_, input, code, argument) => {
    const { errors } = await writingNothing(() => save(input));
    expect(errors).toMatchObject([{ path: ['saveMenu'], extensions: { code, argument } }]);
  });

  test('is for operators', async () => {
    for (const [as, code] of [
      [undefined, 'UNAUTHENTICATED'],
      [alice, 'FORBIDDEN'],
    ] as const) {
      const { errors } = await writingNothing(() =>
        order.ask(saving, { variables: { input: { name: 'a', price: { amount: 1, currency: 'KRW' } } }, as }),
      );
      expect(errors).toMatchObject([{ path: ['saveMenu'], extensions: { code } }]);
    }
  });
});
