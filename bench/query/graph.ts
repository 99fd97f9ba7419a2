// The supergraph of the benchmark: seven small subgraphs with made-up data, and the three operations that are asked of them.
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLResolverMap } from '@apollo/subgraph';
import { parse } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import { composeSupergraph } from '../../schema/compose.ts';

/** So many different variables each operation is asked with. */
export const variants = 64;

export interface Operation {
  readonly name: string;
  readonly query: string;
  readonly variables: (variant: number) => Readonly<Record<string, unknown>>;
}

const productFields = 'upc name price weight inStock shippingEstimate';
const userFields = 'id username name';
const productsOfReviews = `reviews { id body product { ${productFields} } }`;
const deepReviews = `reviews { id body author { ${userFields} ${productsOfReviews} } }`;

export const operations: readonly Operation[] = [
  {
    name: 'small',
    query: 'query Product($upc: ID!) { product(upc: $upc) { upc name price weight } }',
    variables: (variant) => ({ upc: `p${variant}-1` }),
  },
  {
    name: 'myOrders',
    query: `query MyOrders($customer: ID!) { myOrders(customerId: $customer, first: 7) { edges { cursor node { id status
      version deliveryAddress placedAt total { amount currency } items { menuName quantity unitPrice { amount currency } }
      payment { id status paidAt } delivery { id status startedAt } } } pageInfo { hasNextPage endCursor } totalCount } }`,
    variables: (variant) => ({ customer: `c${variant}` }),
  },
  {
    name: 'catalog',
    query: `query Catalog($segment: ID!) {
      users(segment: $segment) { ${userFields} reviews { id body product { ${productFields} ${deepReviews} } } }
      topProducts(segment: $segment, first: 5) { ${productFields} ${deepReviews} } }`,
    variables: (variant) => ({ segment: `${variant}` }),
  },
];

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const numberOf = (id: string): number => Number(id.slice(id.indexOf('-') + 1));
const segmentOf = (id: string): string => id.slice(1, id.indexOf('-'));
const money = (amount: number): object => ({ amount, currency: 'KRW' });
const usersPerSegment = 6;
const productsPerSegment = 9;
const reviewsPerSegment = 24;

interface Row {
  readonly id: string;
}

/** A review joins a user and a product of its segment. */
const review = (segment: string, number: number): object => ({
  id: `r${segment}-${number}`,
  body: `Review number ${number} of segment ${segment}: arrived hot, and the rider was kind.`,
  author: { id: `u${segment}-${number % usersPerSegment}` },
  product: { upc: `p${segment}-${(number * 5) % productsPerSegment}` },
});
const reviewsWhere = (segment: string, holds: (number: number) => boolean): object[] =>
  range(reviewsPerSegment)
    .filter(holds)
    .map((number) => review(segment, number));

const product = (upc: string): object => ({
  upc,
  name: `Product ${upc}`,
  price: 900 + numberOf(upc),
  weight: 100 + numberOf(upc),
});
const order = (customer: string, number: number): object => ({
  id: `0190a000-0000-7000-8000-${customer}-${number}`,
  status: 'DELIVERING',
  version: 3,
  deliveryAddress: `${number} Sejong-daero, Jung-gu, Seoul`,
  placedAt: '2026-01-02T03:04:05.678Z',
  total: money(18_000 + number),
  items: [{ menuName: 'Bibimbap, hot stone', quantity: 2, unitPrice: money(9_000) }],
});

interface Part {
  readonly name: string;
  readonly sdl: string;
  readonly resolvers: GraphQLResolverMap<unknown>;
}

const parts: readonly Part[] = [
  {
    name: 'accounts',
    sdl: 'type Query { users(segment: ID!): [User!]! } type User @key(fields: "id") { id: ID! username: String! name: String! }',
    resolvers: {
      Query: {
        users: (_: unknown, { segment }: { segment: string }) =>
          range(usersPerSegment).map((number) => ({ id: `u${segment}-${number}` })),
      },
      User: {
        __resolveReference: (user: unknown) => user,
        username: ({ id }: Row) => `user_${id}`,
        name: ({ id }: Row) => `Name of ${id}`,
      },
    },
  },
  {
    name: 'products',
    sdl: `type Query { product(upc: ID!): Product topProducts(segment: ID!, first: Int!): [Product!]! }
      type Product @key(fields: "upc") { upc: ID! name: String! price: Int! weight: Int! }`,
    resolvers: {
      Query: {
        product: (_: unknown, { upc }: { upc: string }) => product(upc),
        topProducts: (_: unknown, { segment, first }: { segment: string; first: number }) =>
          range(first).map((number) => product(`p${segment}-${number}`)),
      },
      Product: { __resolveReference: ({ upc }: { upc: string }) => product(upc) },
    },
  },
  {
    name: 'inventory',
    sdl: `type Product @key(fields: "upc") { upc: ID! price: Int! @external weight: Int! @external inStock: Boolean!
      shippingEstimate: Int! @requires(fields: "price weight") }`,
    resolvers: {
      Product: {
        __resolveReference: (one: unknown) => one,
        inStock: ({ upc }: { upc: string }) => numberOf(upc) % 2 === 0,
        shippingEstimate: ({ price, weight }: { price: number; weight: number }) => price + weight,
      },
    },
  },
  {
    name: 'reviews',
    sdl: `type User @key(fields: "id") { id: ID! reviews: [Review!]! } type Product @key(fields: "upc") { upc: ID! reviews: [Review!]! }
      type Review @key(fields: "id") { id: ID! body: String! author: User! product: Product! }`,
    resolvers: {
      User: {
        __resolveReference: (user: unknown) => user,
        reviews: ({ id }: Row) => reviewsWhere(segmentOf(id), (number) => number % usersPerSegment === numberOf(id)),
      },
      Product: {
        __resolveReference: (one: unknown) => one,
        reviews: ({ upc }: { upc: string }) =>
          reviewsWhere(segmentOf(upc), (number) => (number * 5) % productsPerSegment === numberOf(upc)),
      },
    },
  },
  {
    name: 'orders',
    sdl: `type Query { myOrders(customerId: ID!, first: Int = 20): OrderConnection! }
      type OrderConnection { edges: [OrderEdge!]! pageInfo: PageInfo! totalCount: Int! } type OrderEdge { cursor: String! node: Order! }
      type PageInfo { hasNextPage: Boolean! endCursor: String } type Money { amount: Int! currency: String! }
      type Order @key(fields: "id") { id: ID! status: OrderStatus! version: Int! deliveryAddress: String placedAt: String! total: Money!
        items: [OrderItem!]! } type OrderItem { menuName: String! quantity: Int! unitPrice: Money! }
      enum OrderStatus { ORDERED PAID DELIVERING DELIVERED }`,
    resolvers: {
      Query: {
        myOrders: (_: unknown, { customerId, first }: { customerId: string; first: number }) => ({
          edges: range(first).map((number) => ({ cursor: `cursor-${number}`, node: order(customerId, number) })),
          pageInfo: { hasNextPage: true, endCursor: `cursor-${first - 1}` },
          totalCount: 57,
        }),
      },
    },
  },
  {
    name: 'payments',
    sdl: 'type Order @key(fields: "id") { id: ID! payment: Payment } type Payment { id: ID! status: String! paidAt: String }',
    resolvers: {
      Order: {
        __resolveReference: (one: unknown) => one,
        payment: ({ id }: Row) => ({
          id: `payment-${id.slice(-6)}`,
          status: 'PAID',
          paidAt: '2026-01-02T03:04:06.000Z',
        }),
      },
    },
  },
  {
    name: 'deliveries',
    sdl: 'type Order @key(fields: "id") { id: ID! delivery: Delivery } type Delivery { id: ID! status: String! startedAt: String }',
    resolvers: {
      Order: {
        __resolveReference: (one: unknown) => one,
        delivery: ({ id }: Row) => ({
          id: `delivery-${id.slice(-6)}`,
          status: 'STARTED',
          startedAt: '2026-01-02T03:04:07.000Z',
        }),
      },
    },
  },
];

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires", "@external"])\n';

/** The supergraph of subgraphs that are served below one origin. */
export function supergraphAt(origin: string): string {
  return composeSupergraph(parts.map(({ name, sdl }) => ({ name, url: `${origin}/${name}`, sdl: link + sdl })))
    .supergraphSdl;
}

/** The schemas by the path that they are served at. */
export function subgraphSchemas(): ReadonlyMap<string, GraphQLSchema> {
  return new Map(
    parts.map(({ name, sdl, resolvers }) => [
      `/${name}`,
      buildSubgraphSchema([{ typeDefs: parse(link + sdl), resolvers }]),
    ]),
  );
}

/** The requests of an operation as they go over a connection, one for each variant. */
export function requestsOf(name: string): Buffer[] {
  const operation = operations.find((one) => one.name === name);
  if (operation === undefined) throw new Error(`There is no operation ${name}.`);
  const query = operation.query.replaceAll(/\s+/g, ' ');
  return Array.from({ length: variants }, (_, variant) => {
    const body = JSON.stringify({ query, variables: operation.variables(variant) });
    return Buffer.from(
      `POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  });
}
