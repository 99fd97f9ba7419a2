// The supergraphs of the differential fuzz. A field of type ID! is a key: the world derives it from the identity of its
// object, and a field in `structural` leads to an object whose identity is made of that of its parent.
import type { TestSubgraph } from './graph.ts';
import type { Node, World } from './world.ts';

/** One supergraph of the fuzz. */
export interface FuzzGraph {
  readonly name: string;
  readonly subgraphs: readonly Omit<TestSubgraph, 'resolvers'>[];
  /** `Type.field` of objects that belong to their parent: they are there always, and keys may go through them. */
  readonly structural?: readonly string[];
  /** Arguments that the router fills in from around the entity: `Type.field` to what they must be. */
  readonly contextual?: Readonly<Record<string, (node: Node, world: World) => Readonly<Record<string, unknown>>>>;
}

const shop: FuzzGraph = {
  name: 'shop: keys, requires with arguments, provides, shared value types, lists of lists, events',
  structural: ['Product.org', 'Product.variant', 'Event.product', 'Event.user'],
  subgraphs: [
    {
      name: 'products',
      sdl: `
      scalar Json
      enum Currency { KRW USD EUR }
      input Filter { text: String = "a", limit: Int, tags: [String!] }
      type Query { products(filter: Filter, first: Int = 3): [Product!]! product(id: ID!): Product top: [[Product]] grid: [[Cell!]!]! me: Query }
      type Mutation { addProduct(name: String!): Product! renameProduct(name: String): Product }
      type Product @key(fields: "id") @key(fields: "sku org { id }") {
        id: ID! sku: ID! org: Org! name: String price(currency: Currency = KRW): Int weight: Float
        dimensions: Dimensions @shareable variant: Variant! raw: Json related(first: Int): [Product] tags: [String]! category: Category
      }
      type Org @key(fields: "id") { id: ID! title: String @shareable }
      type Cell { row: Int column: Int! product: Product }
      type Dimensions @shareable { width: Int height: Int! unit: Unit unitId: ID! }
      type Variant @shareable { code: ID! size: Int color: String }
      enum Unit { CM INCH }
      type Category @key(fields: "slug") { slug: ID! }`,
    },
    {
      name: 'inventory',
      sdl: `
      enum Currency { KRW USD EUR }
      type Query { warehouses: [Warehouse!]! }
      type Mutation { restock(count: Int! = 2): [Product!] }
      type Warehouse { code: ID! stock: [[Product!]]! main: Product city: String! }
      type Product @key(fields: "id") {
        id: ID! weight: Float @external price(currency: Currency = KRW): Int @external dimensions: Dimensions @shareable
        variant: Variant! @external
        inStock(at: String): Boolean shippingCost: Int @requires(fields: "weight price(currency: USD)")
        labels: [String!] @requires(fields: "variant { size color } price(currency: USD)")
        duty: Int @requires(fields: "price(currency: EUR)")
        stockCount: Int!
      }
      type Dimensions @shareable { width: Int height: Int! depth: Int unitId: ID! }
      type Variant { size: Int @external color: String @external }`,
    },
    {
      name: 'reviews',
      sdl: `
      type Query { reviews(first: Int): [Review!] latestReview: Review }
      type Product @key(fields: "sku org { id }") { sku: ID! org: Org! reviews(first: Int = 2): [Review!]! rating: Float score(scale: Int! = 5): Int! }
      type Org @key(fields: "id") { id: ID! title: String @shareable rank: Int }
      type Review @key(fields: "id") { id: ID! body: String product: Product! author: User @provides(fields: "name") stars: Int! }
      type User @key(fields: "id") { id: ID! name: String @external reviews: [Review] }`,
    },
    {
      name: 'users',
      sdl: `
      type Query { users: [User!]! viewer: User }
      type User @key(fields: "id") { id: ID! name: String @shareable email: String! friends(first: Int): [User!] favorite: Product }
      type Product @key(fields: "id", resolvable: false) { id: ID! }
      type Category @key(fields: "slug") { slug: ID! title: String! parent: Category moderator: User }`,
    },
    {
      name: 'events',
      sdl: `
      type Subscription { changed(kind: String): Event! maybeChanged: Event }
      type Event { number: ID! note: String count: Int! product: Product! user: User! items: [Product!]! }
      type Product @key(fields: "id", resolvable: false) { id: ID! }
      type User @key(fields: "id", resolvable: false) { id: ID! }`,
    },
  ],
};

const media: FuzzGraph = {
  name: 'media: interfaces, unions, @interfaceObject',
  subgraphs: [
    {
      name: 'catalog',
      sdl: `
      type Query { library: [Media!]! featured: Media search(text: String): [Result] books: [Book] node: Named }
      interface Media @key(fields: "id") { id: ID! title: String creator: Creator }
      interface Named { title: String }
      type Book implements Media & Named @key(fields: "id") { id: ID! title: String creator: Creator pages: Int! sequel: Book }
      type Film implements Media & Named @key(fields: "id") { id: ID! title: String creator: Creator minutes: Int stars: [Creator!] }
      type Song implements Media @key(fields: "id") { id: ID! title: String creator: Creator bpm: Float album: [Media!]! }
      union Result = Book | Film | Creator
      type Creator @key(fields: "id") { id: ID! name: String! works: [Media!]! }`,
    },
    {
      name: 'views',
      sdl: `
      type Query { trending(first: Int): [Media!]! }
      type Mutation { watch: Media rate(stars: Int!): Media! }
      type Media @key(fields: "id") @interfaceObject { id: ID! views: Int lastViewer: Viewer viewedWith: [Media] title: String @external hot: Boolean @requires(fields: "title") }
      type Viewer @key(fields: "id") { id: ID! nick: String! watched: [Media!] }`,
    },
    {
      name: 'people',
      sdl: `
      type Query { people: [Person!]! anyone: Person }
      union Person = Creator | Viewer
      type Creator @key(fields: "id") { id: ID! age: Int born: Place! }
      type Viewer @key(fields: "id") { id: ID! home: Place }
      type Place @shareable { city: String code: ID! }`,
    },
  ],
};

const context: FuzzGraph = {
  name: 'context: @context and @fromContext',
  structural: ['Tenant.pages', 'Page.blocks', 'Page.sections', 'Team.pages'],
  contextual: {
    'Block.price': (node, world) => ({ currency: world.ownerOf(node, ['Tenant', 'Team'], 'currency') }),
    'Block.greeting': (node, world) => ({ lang: world.ownerOf(node, ['Tenant', 'Team'], 'language') }),
  },
  subgraphs: [
    {
      name: 'tenants',
      sdl: `
      type Query { tenant: Tenant! tenants: [Tenant!]! team: Team owner: Owner }
      union Owner = Tenant | Team
      type Tenant @key(fields: "id") { id: ID! name: String pages: Page! currency: String @shareable language: String @shareable }
      type Team @key(fields: "id") { id: ID! size: Int pages: Page! currency: String @shareable language: String @shareable }
      type Page @key(fields: "id") { id: ID! path: String blocks: Block! sections: [[Block!]!]! }
      type Block @key(fields: "id") { id: ID! kind: String }`,
    },
    {
      name: 'content',
      sdl: `
      type Tenant @key(fields: "id") @context(name: "place") { id: ID! currency: String @shareable language: String @shareable }
      type Team @key(fields: "id") @context(name: "place") { id: ID! currency: String @shareable language: String @shareable }
      type Block @key(fields: "id") {
        id: ID! text: String
        price(currency: String @fromContext(field: "$place { currency }"), rounded: Boolean): Int
        greeting(lang: String @fromContext(field: "$place { language }")): String!
      }`,
    },
  ],
};

const company: FuzzGraph = {
  name: 'company: hops over several keys, nested keys, @override, @inaccessible, mutations',
  structural: ['Employee.badge', 'Badge.office', 'Department.head'],
  subgraphs: [
    {
      name: 'hr',
      sdl: `
      type Query { employees(active: Boolean): [Employee!]! employee(id: ID!): Employee departments: [Department] }
      type Mutation { hire(name: String!): Employee! fire: Employee }
      type Employee @key(fields: "id") @key(fields: "badge { serial office { code } }") {
        id: ID! name: String! badge: Badge! manager: Employee reports: [Employee!]! grade: Grade nickname: String salary: Int @inaccessible
      }
      type Badge { serial: ID! office: Office! }
      type Office @key(fields: "code") { code: ID! city: String }
      enum Grade { JUNIOR SENIOR STAFF }
      type Department @key(fields: "key") { key: ID! name: String head: Employee! }`,
    },
    {
      name: 'payroll',
      sdl: `
      type Query { payday: Int paid: [Employee!] }
      type Mutation { raise(by: Int!): Employee! bonus(by: Int): [Employee] }
      type Employee @key(fields: "id") { id: ID! nickname: String @override(from: "hr") salary: Int @external bonus: Int @requires(fields: "salary") bank: Bank account(kind: Grade): String }
      enum Grade { JUNIOR SENIOR STAFF }
      type Bank { swift: ID! name: String! branches: [[Bank!]] }`,
    },
    {
      name: 'access',
      sdl: `
      type Query { doors: [Door!]! }
      type Door { number: ID! opens: [Employee]! last: Entry }
      type Entry { at: Int! by: Employee! office: Office }
      type Employee @key(fields: "badge { serial office { code } }") { badge: Badge! doors: [Door!] level: Int! zone: Zone }
      type Badge { serial: ID! @shareable office: Office! @shareable }
      type Office @key(fields: "code") { code: ID! floors: Int neighbours: [Office!]! }
      type Department @key(fields: "key") { key: ID! doors: [Door!] }
      enum Zone { RED GREEN }`,
    },
  ],
};

const social: FuzzGraph = {
  name: 'social: recursion, unions over subgraphs, entity interfaces, aliases of every kind',
  structural: ['Post.meta'],
  subgraphs: [
    {
      name: 'accounts',
      sdl: `
      type Query { me: Account accounts(limit: Int = 2): [Account] actor: Actor }
      interface Actor { id: ID! handle: String }
      type Account implements Actor @key(fields: "id") @key(fields: "handleId") { id: ID! handleId: ID! handle: String follows: [Account!] bio(short: Boolean! = false): String private: Boolean! }
      type Bot implements Actor @key(fields: "id") { id: ID! handle: String owner: Account! version: Float }`,
    },
    {
      name: 'posts',
      sdl: `
      type Query { feed(kinds: [Kind!]): [Item!]! post(id: ID!): Post }
      enum Kind { POST STORY AD }
      union Item = Post | Story | Ad
      type Post @key(fields: "id") { id: ID! text(max: Int): String author: Actor! replies: [Post!] meta: Meta! tagged: [[Actor]] }
      type Story @key(fields: "id") { id: ID! text(max: Int): String frames: [Frame!]! author: Account }
      type Ad { url: String! item: Item adId: ID! }
      type Frame { at: Int image: String! frameId: ID! }
      type Meta { metaId: ID! length: Int lang: String }
      interface Actor { id: ID! }
      type Account implements Actor @key(fields: "id") { id: ID! posts: [Post] pinned: Item }
      type Bot implements Actor @key(fields: "id") { id: ID! posts: [Post] }`,
    },
    {
      name: 'stats',
      sdl: `
      type Query { top: [Post] }
      type Post @key(fields: "id") { id: ID! text(max: Int): String @external meta: Meta! @external likes: Int! likedBy: [Account] summary: String @requires(fields: "text(max: 10) meta { length lang }") }
      type Meta { length: Int @external lang: String @external }
      type Account @key(fields: "handleId") { handleId: ID! karma: Int rank(of: Int): Float }`,
    },
  ],
};

const mesh: FuzzGraph = {
  name: 'mesh: one type over five subgraphs, each needing another',
  structural: ['Thing.part', 'Part.inner'],
  subgraphs: [
    {
      name: 'one',
      sdl: `type Query { things: [Thing!]! thing: Thing nested: [[[Thing!]]] } type Thing @key(fields: "a") { a: ID! one: Int next: Thing size: Int part: Part! }
      type Part @shareable { partId: ID! inner: Inner! } type Inner @shareable { innerId: ID! weight: Int }`,
    },
    { name: 'two', sdl: `type Thing @key(fields: "a") @key(fields: "b") { a: ID! b: ID! two: String list: [Thing] }` },
    {
      name: 'three',
      sdl: `type Query { deep: Thing } type Thing @key(fields: "b") @key(fields: "c") { b: ID! c: ID! three: Boolean! peers: [Thing!]! }`,
    },
    {
      name: 'four',
      sdl: `type Thing @key(fields: "a") { a: ID! size: Int @external part: Part! @external four: Int @requires(fields: "size part { inner { weight } }") color: String }
      type Part { inner: Inner! @external } type Inner { weight: Int @external }`,
    },
    {
      name: 'five',
      sdl: `type Mutation { grow(by: Int): Thing } type Thing @key(fields: "c") { c: ID! color: String @external four: Int @external five: [Float] @requires(fields: "four color") friend: Thing }`,
    },
  ],
};

const chain: FuzzGraph = {
  name: 'chain: what is required requires itself, over several subgraphs and back, through values and other entities',
  structural: ['Item.box'],
  subgraphs: [
    {
      name: 'source',
      sdl: `
      type Query { items(first: Int): [Item!]! item: Item makers: [Maker] }
      type Item @key(fields: "id") { id: ID! price(currency: String): Int next: Item box: Box! maker: Maker }
      type Box { boxId: ID! width: Int }
      type Maker @key(fields: "id") { id: ID! size: Int }`,
    },
    {
      name: 'tax',
      sdl: `
      type Query { taxed: [Item] }
      type Item @key(fields: "id") {
        id: ID! price(currency: String): Int @external gross: Int @external final: Int @external plain: Int
        tax: Int @requires(fields: "price") total: Int @requires(fields: "gross") net: Int @requires(fields: "price gross")
        last(of: Int): Int @requires(fields: "final")
      }
      type Maker @key(fields: "id") { id: ID! size: Int @external trust: Int @external level: Int @requires(fields: "size") rank: Int @requires(fields: "trust") }`,
    },
    {
      name: 'sales',
      sdl: `
      type Item @key(fields: "id") {
        id: ID! tax: Int @external total: Int @external box: Box! @external maker: Maker @external
        gross: Int @requires(fields: "tax box { width }") final: Int @requires(fields: "total tax") offers: [Item!]!
        seal: Int @requires(fields: "maker { rank level }")
      }
      type Box { width: Int @external }
      type Maker @key(fields: "id") { id: ID! level: Int @external rank: Int @external trust: Int @requires(fields: "level") best: Item }`,
    },
  ],
};

const press: FuzzGraph = {
  name: 'press: unions with nulls in lists of lists, nested @provides, interfaces whose types are entities in several subgraphs',
  subgraphs: [
    {
      name: 'authors',
      sdl: `
      type Query { writers: [Writer] writer: Writer! }
      interface Writer { id: ID! name: String }
      type Human implements Writer @key(fields: "id") { id: ID! name: String @shareable born: Int! rival: Writer }
      type Robot implements Writer @key(fields: "id") { id: ID! name: String model(long: Boolean): String }`,
    },
    {
      name: 'articles',
      sdl: `
      type Query { front: [Piece] latest: Piece mixed(of: Int): [[Piece]!] }
      type Mutation { publish(title: String): Piece! retract: [Piece] }
      union Piece = Story | Poem | Human
      union Part = Text | Image
      interface Writer { id: ID! }
      interface Titled { title: String byline: Writer }
      type Story implements Titled @key(fields: "id") { id: ID! title: String byline: Writer editor: Human @provides(fields: "name desk { floor }") parts: [[Part]]! }
      type Poem implements Titled @key(fields: "id") { id: ID! title: String byline: Writer! lines(max: Int = 3): [String!] related: [Titled] }
      type Human implements Writer @key(fields: "id") { id: ID! name: String @external desk: Desk @external pieces: [Piece] }
      type Robot implements Writer @key(fields: "id") { id: ID! maker: Human }
      type Desk { floor: Int @external }
      type Text { textId: ID! body: String! } type Image { imageId: ID! body: Int width: Int! credit: Writer }`,
    },
    {
      name: 'desks',
      sdl: `
      type Query { floors: [Desk!] }
      type Human @key(fields: "id") { id: ID! name: String @external desk: Desk @shareable badge: String @requires(fields: "name") }
      type Desk { deskId: ID! floor: Int @shareable wing: String! people: [Human] }
      type Story @key(fields: "id") { id: ID! title: String @external views: Int! headline: String @requires(fields: "title") }
      type Poem @key(fields: "id") { id: ID! views: Int! }`,
    },
  ],
};

/** All of them. */
export const fuzzGraphs: readonly FuzzGraph[] = [shop, media, context, company, social, mesh, chain, press];
