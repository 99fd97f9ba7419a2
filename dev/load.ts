// `npm run load -- --users 20 --seconds 30`: customers who order and look at their orders through a router at any address.
import { randomUUID } from 'node:crypto';
import { isatty } from 'node:tty';
import { parseArgs } from 'node:util';
import { issuerFolder } from './folders.ts';
import { openIssuer } from './issuer.ts';
import { createLatencies, formatMilliseconds, formatShare } from './latencies.ts';

const usage = `usage: npm run load -- [--users 20] [--seconds 30] [--url http://localhost:4000/graphql] [--token <JWT>]

  --users    customers at once, each with one request at a time
  --seconds  how long
  --url      the router; several, comma-separated, are taken in turn, as behind a load balancer
  --token    sent with every request; default: a token of the development issuer for each customer
  --pause    milliseconds that a customer thinks between two requests; default 0`;

interface Settings {
  readonly users: number;
  readonly seconds: number;
  readonly urls: readonly string[];
  readonly token: string | undefined;
  readonly pauseMs: number;
}

/** What came of the load. `failures` counts by reason. */
interface Tally {
  readonly place: ReturnType<typeof createLatencies>;
  readonly look: ReturnType<typeof createLatencies>;
  readonly failures: Map<string, number>;
  readonly orders: { readonly id: string; readonly token: string }[];
  repeated: number;
}

interface Answer {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

const requestTimeoutMs = 15_000;
const arrivalTimeoutMs = 60_000;

const placeOrder = `mutation LoadPlace($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id status } } }`;
const lookAtOrder = `query LoadLook($id: ID!) {
  order(id: $id) { id status total { amount currency } items { quantity menu { name } } payment { status } delivery { status } }
}`;

function readSettings(): Settings {
  const options = {
    users: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '30' },
    url: { type: 'string', default: 'http://localhost:4000/graphql' },
    token: { type: 'string' },
    pause: { type: 'string', default: '0' },
    help: { type: 'boolean' },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help === true) {
      console.log(usage);
      process.exit(0);
    }
    const [users, seconds, pauseMs] = [values.users, values.seconds, values.pause].map((text) => {
      if (!/^\d{1,6}$/.test(text)) throw new Error(`"${text}" is no whole number`);
      return Number(text);
    }) as [number, number, number];
    const urls = values.url.split(',').filter((url) => URL.canParse(url) || fail(`"${url}" is no URL`));
    return { users, seconds, pauseMs, urls, token: values.token };
  } catch (error) {
    return fail((error as Error).message);
  }
}

function fail(problem: string): never {
  console.error(`${problem}\n\n${usage}`);
  process.exit(2);
}

/**
 * Sends one operation. A connection that breaks is tried once more, at the next address where there is one, as any client of a
 * load balancer does; every operation here may be repeated. Rejects with the reason when there is no good answer.
 */
async function send(
  { urls }: Settings,
  tally: Tally,
  turn: number,
  token: string,
  query: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<NonNullable<Answer['data']>> {
  const ask = (attempt: number): Promise<Response> =>
    fetch(urls[(turn + attempt) % urls.length] ?? '', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
  const response = await ask(0).catch((error: unknown) => {
    if (reasonOf(error) === 'TimeoutError') throw error;
    tally.repeated += 1;
    return ask(1);
  });
  const text = await response.text();
  if (!response.headers.get('content-type')?.includes('json')) throw new Error(`HTTP ${response.status}`);
  const { data, errors } = JSON.parse(text) as Answer;
  if (errors !== undefined) throw new Error(errors[0]?.extensions?.code ?? errors[0]?.message ?? 'error');
  return data ?? {};
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error as { cause?: { code?: string } };
  return cause?.code ?? (error.name === 'Error' ? error.message : error.name);
}

/** One customer: orders, looks at the order, and again, until the time is over. */
async function customer(
  settings: Settings,
  tally: Tally,
  token: string,
  menuIds: readonly string[],
  until: number,
  number: number,
) {
  const timed = async <T>(latencies: Tally['place'], work: () => Promise<T>): Promise<T | undefined> => {
    const started = performance.now();
    try {
      const result = await work();
      latencies.add(performance.now() - started);
      return result;
    } catch (error) {
      const reason = reasonOf(error);
      tally.failures.set(reason, (tally.failures.get(reason) ?? 0) + 1);
      // Not to make a storm out of an outage.
      await new Promise((resolve) => setTimeout(resolve, 100));
      return undefined;
    } finally {
      if (settings.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, settings.pauseMs));
    }
  };
  for (let turn = number; performance.now() < until; turn += 1) {
    const items = [{ menuId: menuIds[turn % menuIds.length], quantity: 1 + (turn % 3) }];
    const input = { items, deliveryAddress: `Load street ${String(number)}`, idempotencyKey: randomUUID() };
    const placed = await timed(tally.place, () => send(settings, tally, turn, token, placeOrder, { input }));
    const id = (placed as { placeOrder?: { order: { id: string } } } | undefined)?.placeOrder?.order.id;
    if (id === undefined) continue;
    tally.orders.push({ id, token });
    if (performance.now() < until)
      await timed(tally.look, () => send(settings, tally, turn, token, lookAtOrder, { id }));
  }
}

/** Waits until every order is with a rider, or has another end; gives how many are not after `arrivalTimeoutMs`. */
async function ordersUnderWay(settings: Settings, tally: Tally): Promise<number> {
  const deadline = performance.now() + arrivalTimeoutMs;
  let open = tally.orders.toReversed();
  while (open.length > 0 && performance.now() < deadline) {
    const asked = open.slice(0, 40).filter(({ token }) => token === open[0]?.token);
    const fields = asked.map(({ id }, index) => `o${String(index)}: order(id: ${JSON.stringify(id)}) { status }`);
    const data = await send(
      settings,
      tally,
      0,
      asked[0]?.token ?? '',
      `query LoadArrival { ${fields.join(' ')} }`,
      {},
    ).catch(() => ({}));
    const arrived = new Set(
      Object.entries(data as Record<string, { status: string } | null>).flatMap(([field, order]) =>
        order !== null && !['ORDERED', 'PAID'].includes(order.status) ? [asked[Number(field.slice(1))]?.id] : [],
      ),
    );
    if (arrived.size === 0) await new Promise((resolve) => setTimeout(resolve, 250));
    open = open.filter(({ id }) => !arrived.has(id));
  }
  return open.length;
}

async function tokensFor({ users, token }: Settings): Promise<string[]> {
  if (token !== undefined) return Array.from({ length: users }, () => token);
  const issuer = await openIssuer(issuerFolder);
  const run = randomUUID().slice(0, 8);
  return Promise.all(
    Array.from({ length: users }, (_, index) =>
      issuer.token({ sub: `load-${run}-${String(index)}`, expiresInSeconds: 86_400 }),
    ),
  );
}

const settings = readSettings();
const tokens = await tokensFor(settings);
const tally: Tally = {
  place: createLatencies(),
  look: createLatencies(),
  failures: new Map(),
  orders: [],
  repeated: 0,
};

const menus = await send(
  settings,
  tally,
  0,
  tokens[0] ?? '',
  '{ menus { edges { node { id available } } } }',
  {},
).catch((error: unknown) => fail(`${settings.urls.join(', ')} gives no menus: ${reasonOf(error)}`));
const menuIds = (menus as { menus: { edges: { node: { id: string; available: boolean } }[] } }).menus.edges
  .filter(({ node }) => node.available)
  .map(({ node }) => node.id);
if (menuIds.length === 0) fail('there is no menu to order');

const failed = (): number => [...tally.failures.values()].reduce((sum, count) => sum + count, 0);
const answered = (): number => tally.place.count + tally.look.count;
const started = performance.now();
const progress = (): string => {
  const seconds = (performance.now() - started) / 1_000;
  return [
    `${String(Math.round(seconds)).padStart(4)} s of ${settings.seconds}`,
    `${tally.orders.length} orders`,
    `${Math.round(answered() / seconds)} requests/s`,
    `p50 ${formatMilliseconds(tally.place.percentile(0.5))}, p99 ${formatMilliseconds(tally.place.percentile(0.99))} to order`,
    `available ${formatShare(answered(), answered() + failed())}`,
  ].join(' · ');
};
const line = setInterval(
  () => (isatty(1) ? process.stdout.write(`\r${progress()}\u001B[K`) : console.log(progress())),
  isatty(1) ? 250 : 5_000,
);
await Promise.all(
  tokens.map((token, index) => customer(settings, tally, token, menuIds, started + settings.seconds * 1_000, index)),
);
clearInterval(line);
console.log(`${isatty(1) ? '\r' : ''}${progress()}${isatty(1) ? '\u001B[K' : ''}`);

const underWay = await ordersUnderWay(settings, tally);
for (const [name, latencies] of [
  ['to order', tally.place],
  ['to look at an order', tally.look],
] as const) {
  const points = [0.5, 0.9, 0.99, 1].map((share) => formatMilliseconds(latencies.percentile(share)));
  console.log(
    `\n${name}: ${latencies.count} answers, p50 ${points[0] ?? ''}, p90 ${points[1] ?? ''}, p99 ${points[2] ?? ''}, max ${points[3] ?? ''}`,
  );
  for (const row of latencies.histogram(50)) console.log(row);
}
console.log(
  `\norders     ${tally.orders.length} placed, ${tally.orders.length - underWay} with a rider${underWay === 0 ? '' : `, ${underWay} still under way`}`,
);
console.log(`failures   ${failed()}${[...tally.failures].map(([reason, count]) => `, ${count} ${reason}`).join('')}`);
console.log(`repeated   ${tally.repeated} (connections that broke, and were tried once more)`);
console.log(`available  ${formatShare(answered(), answered() + failed())}`);
process.exitCode = failed() === 0 && underWay === 0 ? 0 : 1;
