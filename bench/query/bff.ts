// A contestant, and the practical limit: a backend for this frontend alone, written by hand over node:http and undici. It makes the
// fetches of the official planner's plan, or with `merge` one for each level and subgraph, and knows each answer's form beforehand.
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [origin = '', port = '0', mode] = process.argv.slice(2);
const isMerging = mode === 'merge';
const pools = new Map<string, Pool>();

interface Money {
  readonly amount: number;
  readonly currency: string;
}
interface Product {
  upc: string;
  name: string;
  price: number;
  weight: number;
  inStock?: boolean;
  shippingEstimate?: number;
}
interface User {
  readonly id: string;
  username: string;
  name: string;
}
interface Review {
  readonly id: string;
  readonly body: string;
  readonly author: { readonly id: string; readonly reviews: readonly Review[] };
  readonly product: { readonly upc: string; readonly reviews: readonly Review[] };
}
interface Order {
  readonly id: string;
  readonly status: string;
  readonly version: number;
  readonly deliveryAddress: string | null;
  readonly placedAt: string;
  readonly total: Money;
  readonly items: readonly { readonly menuName: string; readonly quantity: number; readonly unitPrice: Money }[];
}

async function ask<Data>(subgraph: string, query: string, variables: object): Promise<Data> {
  let pool = pools.get(subgraph);
  if (pool === undefined) {
    pool = new Pool(origin, { connections: 128 });
    pools.set(subgraph, pool);
  }
  const { body } = await pool.request({
    path: `/${subgraph}`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return (JSON.parse(await body.text()) as { data: Data }).data;
}

async function productPage({ upc }: { upc: string }): Promise<object> {
  return ask('products', 'query($upc:ID!){product(upc:$upc){upc name price weight}}', { upc });
}

const ordersQuery =
  'query($customer:ID!){myOrders(customerId:$customer,first:7){edges{cursor node{id status version deliveryAddress placedAt total{amount currency}items{menuName quantity unitPrice{amount currency}}}}pageInfo{hasNextPage endCursor}totalCount}}';
const paymentsQuery = 'query($r:[_Any!]!){_entities(representations:$r){...on Order{payment{id status paidAt}}}}';
const deliveriesQuery = 'query($r:[_Any!]!){_entities(representations:$r){...on Order{delivery{id status startedAt}}}}';

async function myOrders({ customer }: { customer: string }): Promise<object> {
  const { myOrders: page } = await ask<{
    myOrders: { edges: { cursor: string; node: Order }[]; pageInfo: object; totalCount: number };
  }>('orders', ordersQuery, { customer });
  const r = page.edges.map(({ node }) => ({ __typename: 'Order', id: node.id }));
  const [payments, deliveries] = await Promise.all([
    ask<{ _entities: { payment: object }[] }>('payments', paymentsQuery, { r }),
    ask<{ _entities: { delivery: object }[] }>('deliveries', deliveriesQuery, { r }),
  ]);
  return {
    myOrders: {
      edges: page.edges.map(({ cursor, node }, index) => ({
        cursor,
        node: {
          id: node.id,
          status: node.status,
          version: node.version,
          deliveryAddress: node.deliveryAddress,
          placedAt: node.placedAt,
          total: node.total,
          items: node.items,
          payment: payments._entities[index]?.payment,
          delivery: deliveries._entities[index]?.delivery,
        },
      })),
      pageInfo: page.pageInfo,
      totalCount: page.totalCount,
    },
  };
}

const usersQuery = 'query($segment:ID!){users(segment:$segment){id username name}}';
const topQuery = 'query($segment:ID!){topProducts(segment:$segment,first:5){upc name price weight}}';
const deep = 'reviews{id body author{id reviews{id body product{upc}}}}';
const userReviews = `...on User{reviews{id body product{upc ${deep}}}}`;
const productReviews = `...on Product{${deep}}`;
const entitiesOf = (selection: string): string => `query($r:[_Any!]!){_entities(representations:$r){${selection}}}`;
const bothReviews = `query($u:[_Any!]!,$p:[_Any!]!){u:_entities(representations:$u){${userReviews}}p:_entities(representations:$p){${productReviews}}}`;
const product = '...on Product';

async function catalog({ segment }: { segment: string }): Promise<object> {
  const products = new Map<string, Product>();
  const authors = new Map<string, User>();
  /** Completes things that are asked for at several places: with a request for each, or with one for all. */
  const complete = async <Thing>(
    subgraph: string,
    selection: string,
    known: Map<string, Thing>,
    places: readonly Iterable<string>[],
    toRepresentation: (key: string) => object,
  ): Promise<void> => {
    const lists = isMerging ? [new Set(places.flatMap((place) => [...place]))] : places;
    await Promise.all(
      lists.map(async (list) => {
        const keys = [...list];
        const { _entities } = await ask<{ _entities: Thing[] }>(subgraph, entitiesOf(selection), {
          r: keys.map(toRepresentation),
        });
        keys.forEach((key, index) => Object.assign(known.get(key) as object, _entities[index]));
      }),
    );
  };
  const keyed = (upc: string): object => ({ __typename: 'Product', upc });
  const weighed = (upc: string): object => {
    const { price, weight } = products.get(upc) as Product;
    return { __typename: 'Product', upc, price, weight };
  };
  const stock = (places: readonly Iterable<string>[]): Promise<void> =>
    complete('inventory', `${product}{inStock}`, products, places, keyed);
  const describe = async (places: readonly Iterable<string>[]): Promise<void> => {
    await complete('products', `${product}{name price weight}`, products, places, keyed);
    const wanted = isMerging ? 'inStock shippingEstimate' : 'shippingEstimate';
    await complete('inventory', `${product}{${wanted}}`, products, places, weighed);
  };
  const name = (places: readonly Iterable<string>[]): Promise<void> =>
    complete('accounts', '...on User{username name}', authors, places, (id) => ({ __typename: 'User', id }));
  const note = (reviews: readonly Review[], upcs: Set<string>): void => {
    for (const {
      product: { upc },
    } of reviews) {
      upcs.add(upc);
      if (!products.has(upc)) products.set(upc, { upc } as Product);
    }
  };
  const noteDeep = (reviews: readonly Review[], ids: Set<string>, upcs: Set<string>): void => {
    for (const { author } of reviews) {
      ids.add(author.id);
      if (!authors.has(author.id)) authors.set(author.id, { id: author.id } as User);
      note(author.reviews, upcs);
    }
  };
  const [ofUsers, inUsers, inTop] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const [authorsInUsers, authorsInTop] = [new Set<string>(), new Set<string>()];

  const usersAsked = ask<{ users: User[] }>('accounts', usersQuery, { segment });
  const topAsked = ask<{ topProducts: Product[] }>('products', topQuery, { segment });
  let users: User[];
  let topProducts: Product[];
  let u: { reviews: Review[] }[] = [];
  let p: { reviews: Review[] }[] = [];
  const noteUsers = (): void => {
    for (const { reviews } of u) {
      note(reviews, ofUsers);
      for (const one of reviews) noteDeep(one.product.reviews, authorsInUsers, inUsers);
    }
  };
  const noteTop = (): void => {
    for (const { reviews } of p) noteDeep(reviews, authorsInTop, inTop);
  };
  const userKeys = (): object[] => users.map(({ id }) => ({ __typename: 'User', id }));
  const topKeys = (): object[] => topProducts.map(({ upc }) => keyed(upc));
  if (isMerging) {
    [{ users }, { topProducts }] = await Promise.all([usersAsked, topAsked]);
    ({ u, p } = await ask<{ u: typeof u; p: typeof p }>('reviews', bothReviews, { u: userKeys(), p: topKeys() }));
    noteUsers();
    noteTop();
    for (const one of topProducts) products.set(one.upc, one);
    await Promise.all([
      name([authorsInUsers, authorsInTop]),
      describe([ofUsers, inUsers, inTop, topProducts.map(({ upc }) => upc)]),
    ]);
  } else {
    [users, topProducts] = await Promise.all([
      usersAsked.then(async ({ users: found }) => {
        users = found;
        ({ _entities: u } = await ask<{ _entities: typeof u }>('reviews', entitiesOf(userReviews), { r: userKeys() }));
        noteUsers();
        await Promise.all([
          stock([ofUsers, inUsers]),
          describe([ofUsers]),
          describe([inUsers]),
          name([authorsInUsers]),
        ]);
        return found;
      }),
      topAsked.then(async ({ topProducts: found }) => {
        topProducts = found;
        for (const one of found) products.set(one.upc, Object.assign(products.get(one.upc) ?? {}, one));
        const top = found.map(({ upc }) => upc);
        const stocked = complete('inventory', `${product}{inStock shippingEstimate}`, products, [top], weighed);
        ({ _entities: p } = await ask<{ _entities: typeof p }>('reviews', entitiesOf(productReviews), {
          r: topKeys(),
        }));
        noteTop();
        await Promise.all([stocked, stock([inTop]), describe([inTop]), name([authorsInTop])]);
        return found;
      }),
    ]);
  }

  const outOf = (upc: string): Product => {
    const { name, price, weight, inStock, shippingEstimate } = products.get(upc) as Required<Product>;
    return { upc, name, price, weight, inStock, shippingEstimate };
  };
  const deepOf = (reviews: readonly Review[]): object[] =>
    reviews.map(({ id, body, author }) => ({
      id,
      body,
      author: {
        id: author.id,
        username: authors.get(author.id)?.username,
        name: authors.get(author.id)?.name,
        reviews: author.reviews.map((one) => ({ id: one.id, body: one.body, product: outOf(one.product.upc) })),
      },
    }));
  return {
    users: users.map(({ id, username, name }, index) => ({
      id,
      username,
      name,
      reviews: u[index]?.reviews.map((one) => ({
        id: one.id,
        body: one.body,
        product: { ...outOf(one.product.upc), reviews: deepOf(one.product.reviews) },
      })),
    })),
    topProducts: topProducts.map(({ upc }, index) => ({ ...outOf(upc), reviews: deepOf(p[index]?.reviews ?? []) })),
  };
}

createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { query, variables } = JSON.parse(Buffer.concat(chunks).toString()) as { query: string; variables: never };
    const answer = query.startsWith('query Product')
      ? productPage
      : query.startsWith('query MyOrders')
        ? myOrders
        : catalog;
    void answer(variables).then((data) => {
      const text = JSON.stringify({ data });
      response.writeHead(200, ['content-type', 'application/json', 'content-length', String(Buffer.byteLength(text))]);
      response.end(text);
    });
  });
}).listen(Number(port), '127.0.0.1');
