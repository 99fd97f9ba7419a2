// @requires: what is brought to a subgraph before it is asked.
import { describe, expect, test } from '@jest/globals';
import { testFeature } from '../testing/feature.ts';
import { makeGraph } from '../testing/graph.ts';

interface Rep {
  readonly id: string;
}
const same = { __resolveReference: (representation: unknown) => representation };

describe('@requires with arguments', () => {
  const rates: Readonly<Record<string, number>> = { USD: 1, EUR: 2 };
  const graph = makeGraph([
    {
      name: 'catalog',
      sdl: `enum Currency { USD EUR } type Query { products: [Product!]! }
        type Product @key(fields: "upc") { upc: ID! name: String price(currency: Currency!, rounded: Boolean = true): Int comments(limit: Int!): [Comment!]! }
        type Comment @key(fields: "id") { id: ID! date: String }`,
      resolvers: {
        Query: { products: () => [{ upc: '1' }, { upc: '2' }] },
        Product: {
          ...same,
          name: ({ upc }: { upc: string }) => `p${upc}`,
          price: ({ upc }: { upc: string }, { currency }: { currency: string }) =>
            Number(upc) * 100 * (rates[currency] ?? 0),
          comments: (_: unknown, { limit }: { limit: number }) =>
            Array.from({ length: limit }, (_each, at) => ({ id: `c${at}` })),
        },
        Comment: { ...same, date: ({ id }: Rep) => `d${id.slice(1)}` },
      },
    },
    {
      name: 'shipping',
      sdl: `enum Currency { USD EUR }
        type Product @key(fields: "upc") {
          upc: ID! price(currency: Currency!, rounded: Boolean = true): Int @external comments(limit: Int!): [Comment!]! @external
          inDollars: Int @requires(fields: "price(currency: USD)")
          inEuros: Int @requires(fields: "price(currency: EUR)")
          firstComments: [String] @requires(fields: "comments(limit: 2) { id date }")
        }
        type Comment @key(fields: "id") { id: ID! @external date: String @external }`,
      resolvers: {
        Product: {
          ...same,
          inDollars: ({ price }: { price: number }) => price / 10,
          inEuros: ({ price }: { price: number }) => price / 10,
          firstComments: ({ comments }: { comments: { id: string; date: string }[] }) =>
            comments.map(({ id, date }) => id + date),
        },
      },
    },
  ]);
  testFeature(graph, {
    'brings the field with them': {
      query: '{ products { inDollars } }',
      data: { products: [{ inDollars: 10 }, { inDollars: 20 }] },
      fetches: [
        'catalog {products{__typename upc price(currency:USD)}}',
        'shipping Product(upc:"1" price:100) Product(upc:"2" price:200) {...on Product{inDollars}}',
      ],
    },
    'differs in arguments: each field is sent its own': {
      query: '{ products { inEuros inDollars price(currency: USD) } }',
      data: {
        products: [
          { inEuros: 20, inDollars: 10, price: 100 },
          { inEuros: 40, inDollars: 20, price: 200 },
        ],
      },
      fetches: [
        'catalog {products{__typename upc required_2__price:price(currency:EUR)required_1__price:price(currency:USD)client__price:price(currency:USD)}}',
        'shipping Product(upc:"1" price:200) Product(upc:"2" price:400) {...on Product{inEuros}} + Product(upc:"1" price:100) Product(upc:"2" price:200) {...on Product{inDollars}}',
      ],
    },
    'does not touch what the client asks for with others, by variables too': {
      query:
        'query($n: Int = 1, $c: Currency = EUR) { products { price(currency: $c) firstComments ...F comments(limit: $n) { id } } } fragment F on Product { comments(limit: $n) { date } }',
      data: {
        products: ['1', '2'].map((n) => ({
          price: Number(n) * 200,
          firstComments: ['c0d0', 'c1d1'],
          comments: [{ date: 'd0', id: 'c0' }],
        })),
      },
      fetches: [
        'catalog {products{__typename client__comments:comments(limit:$n){date id}upc client__price:price(currency:$c)comments(limit:2){id date}}} {c:"EUR" n:1}',
        'shipping Product(upc:"1" comments:[{id:"c0" date:"d0"} {id:"c1" date:"d1"}]) Product(upc:"2" comments:[{id:"c0" date:"d0"} {id:"c1" date:"d1"}]) {...on Product{firstComments}}',
      ],
    },
  });

  test('differs in arguments, with @defer: it is answered in one piece', async () => {
    const query = '{ products { inDollars ... @defer { inEuros } } }';
    expect(graph.compile(query).deferralFor({})).toBeUndefined();
    expect((await graph.run(query)).data).toEqual({
      products: [
        { inDollars: 10, inEuros: 20 },
        { inDollars: 20, inEuros: 40 },
      ],
    });
    expect(graph.compile('{ products { name ... @defer { inEuros } } }').deferralFor({})?.parts).toHaveLength(1);
  });
});

describe('@requires with different arguments of entities that others know more of', () => {
  const graph = makeGraph([
    {
      name: 'posts',
      sdl: `type Query { posts: [Post!]! } type Post @key(fields: "id") { id: ID! talk(limit: Int): [Note!] }
        type Note @key(fields: "id") { id: ID! length(scale: Int!): Int }`,
      resolvers: {
        Query: { posts: () => [{ id: '1' }] },
        Post: {
          talk: (_: unknown, { limit }: { limit: number }) =>
            Array.from({ length: limit }, (_each, at) => ({ id: `n${at}` })),
        },
        Note: {
          length: ({ id }: Rep, { scale }: { scale: number }) => {
            if (scale === 100) throw new Error(`broken ${id}`);
            return Number(id.slice(1)) + scale;
          },
        },
      },
    },
    {
      name: 'dates',
      sdl: 'type Note @key(fields: "id") { id: ID! date: String }',
      resolvers: { Note: { ...same, date: ({ id }: Rep) => `d${id.slice(1)}` } },
    },
    {
      name: 'digest',
      sdl: `type Post @key(fields: "id") { id: ID! talk(limit: Int): [Note!] @external
          first(upTo: Int): String @requires(fields: "talk(limit: 1) { date length(scale: 10) }")
          second: String @requires(fields: "talk(limit: 2) { date length(scale: 20) }")
          broken: String @requires(fields: "talk(limit: 1) { length(scale: 100) }") }
        type Note @key(fields: "id") { id: ID! @external date: String @external length(scale: Int!): Int @external }`,
      resolvers: {
        Post: {
          ...same,
          ...Object.fromEntries(
            ['first', 'second', 'broken'].map((name) => [
              name,
              ({ talk }: { talk: { date: string; length: number | null }[] }, { upTo = 9 }: { upTo?: number }) =>
                JSON.stringify(talk.slice(0, upTo).map(({ date, length }) => [date, length])),
            ]),
          ),
        },
      },
    },
  ]);
  testFeature(graph, {
    'fetches what is below for each': {
      query: 'query($n: Int) { posts { second first(upTo: $n) } }',
      variables: { n: 1 },
      data: { posts: [{ second: '[["d0",20],["d1",21]]', first: '[["d0",10]]' }] },
      fetches: [
        'posts {posts{__typename id required_2__talk:talk(limit:2){__typename id required_2__length:length(scale:20)}required_1__talk:talk(limit:1){__typename id required_1__length:length(scale:10)}}}',
        'dates Note(id:"n0") Note(id:"n1") {...on Note{date}}',
        'digest Post(id:"1" talk:[{date:"d0" length:20} {date:"d1" length:21}]) {...on Post{second}} + Post(id:"1" talk:[{date:"d0" length:10}]) {...on Post{first(upTo:$n)}} {n:1}',
      ],
    },
    'tells errors of what was required under its name': {
      query: '{ posts { broken second } }',
      data: { posts: [{ broken: '[[null,null]]', second: '[["d0",20],["d1",21]]' }] },
      errors: ['posts.0.talk.0.length: broken n0'],
      fetches: [
        'posts {posts{__typename id required_1__talk:talk(limit:1){required_3__length:length(scale:100)}required_2__talk:talk(limit:2){__typename id required_2__length:length(scale:20)}}}',
        'digest Post(id:"1" talk:[{length:null}]) {...on Post{broken}}',
        'dates Note(id:"n0") Note(id:"n1") {...on Note{date}}',
        'digest Post(id:"1" talk:[{date:"d0" length:20} {date:"d1" length:21}]) {...on Post{second}}',
      ],
    },
  });
});

describe('@requires of nested selections', () => {
  const graph = makeGraph(
    [
      {
        name: 'goods',
        sdl: `type Query { goods: [Good!]! } type Good @key(fields: "id") { id: ID! box: Box parts: [Part!]! maker: Maker media: [Media] }
        type Box { size: Size! } type Size { w: Int h: Int } type Part { weight: Int name: String } type Maker @key(fields: "id") { id: ID! }
        interface Media { url: String! } type Photo implements Media { url: String! width: Int } type Video implements Media { url: String! length: Int }`,
        resolvers: {
          Query: {
            goods: () => [
              {
                id: '1',
                box: { size: { w: 2, h: 3 } },
                parts: [{ weight: 1 }, { weight: 2 }],
                maker: { id: 'm' },
                media: [
                  { __typename: 'Photo', url: 'u', width: 9 },
                  { __typename: 'Video', url: 'v', length: 7 },
                  null,
                ],
              },
              { id: '2', box: null, parts: [], maker: null, media: null },
            ],
          },
        },
      },
      {
        name: 'makers',
        sdl: 'type Maker @key(fields: "id") { id: ID! country: Country } type Country { code: String! }',
        resolvers: { Maker: { ...same, country: () => ({ code: 'KR' }) } },
      },
      {
        name: 'freight',
        sdl: `type Good @key(fields: "id") {
          id: ID! box: Box @external parts: [Part!]! @external maker: Maker @external media: [Media] @external
          volume: Int @requires(fields: "box { size { w h } }") weight: Int @requires(fields: "parts { weight }")
          customs: String @requires(fields: "maker { country { code } }")
          preview: [String] @requires(fields: "media { url ... on Photo { width } ... on Video { length } }")
          summary: String @requires(fields: "volumeText customs") volumeText: String @requires(fields: "box { size { w } }")
        }
        type Box { size: Size! @external } type Size { w: Int @external h: Int @external } type Part { weight: Int @external }
        type Maker @key(fields: "id") { id: ID! @external country: Country @external } type Country { code: String! @external }
        interface Media { url: String! } type Photo implements Media { url: String! @external width: Int @external } type Video implements Media { url: String! @external length: Int @external }`,
        resolvers: {
          Good: {
            ...same,
            volume: ({ box }: { box: { size: { w: number; h: number } } | null }) =>
              box ? box.size.w * box.size.h : 0,
            weight: ({ parts }: { parts: { weight: number }[] }) => parts.reduce((sum, one) => sum + one.weight, 0),
            customs: ({ maker }: { maker: { country: { code: string } } | null }) => maker?.country.code ?? 'none',
            preview: ({ media }: { media: (Record<string, unknown> | null)[] | null }) =>
              media?.map((one) => one && `${String(one['url'])}${String(one['width'] ?? one['length'])}`),
          },
        },
      },
    ].map((one) => ({ ...one, sdl: one.sdl.replace(/\n {10}summary[^\n]*/, '') })),
  );
  testFeature(graph, {
    'sends objects and lists, and null for what is null': {
      query: '{ goods { volume weight } }',
      data: {
        goods: [
          { volume: 6, weight: 3 },
          { volume: 0, weight: 0 },
        ],
      },
      fetches: [
        'goods {goods{__typename id parts{weight}box{size{w h}}}}',
        'freight Good(id:"1" parts:[{weight:1} {weight:2}] box:{size:{w:2 h:3}}) Good(id:"2" parts:[] box:null) {...on Good{volume weight}}',
      ],
    },
    'over an entity of a third subgraph waits for that': {
      query: '{ goods { customs maker { id } } }',
      data: {
        goods: [
          { customs: 'KR', maker: { id: 'm' } },
          { customs: 'none', maker: null },
        ],
      },
      fetches: [
        'goods {goods{__typename id maker{__typename id}}}',
        'makers Maker(id:"m") {...on Maker{country{code}}}',
        'freight Good(maker:{country:{code:"KR"}} id:"1") Good(maker:null id:"2") {...on Good{customs}}',
      ],
    },
    'with fragments sends to each type what is its own': {
      query: '{ goods { preview } }',
      data: { goods: [{ preview: ['u9', 'v7', null] }, { preview: null }] },
      fetches: [
        'goods {goods{__typename id media{__typename url ...on Photo{width}...on Video{length}}}}',
        'freight Good(id:"1" media:[{url:"u" width:9} {url:"v" length:7} null]) Good(id:"2" media:null) {...on Good{preview}}',
      ],
    },
  });
});

describe('@requires of a field that a mutation has just made', () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: 'type Query { x: Int } type Mutation { add(name: String!): Thing! } type Thing @key(fields: "id") { id: ID! name: String }',
      resolvers: { Mutation: { add: (_: unknown, { name }: { name: string }) => ({ id: '1', name }) } },
    },
    {
      name: 'b',
      sdl: 'type Thing @key(fields: "id") { id: ID! name: String @external shout: String @requires(fields: "name") }',
      resolvers: { Thing: { ...same, shout: ({ name }: { name: string }) => `${name}!` } },
    },
  ]);
  testFeature(graph, {
    'is brought by the mutation itself': {
      query: 'mutation($name: String!) { add(name: $name) { shout } }',
      variables: { name: 'n' },
      data: { add: { shout: 'n!' } },
      fetches: [
        'a mutation {add(name:$name){__typename id name}} {name:"n"}',
        'b Thing(id:"1" name:"n") {...on Thing{shout}}',
      ],
    },
  });
});
