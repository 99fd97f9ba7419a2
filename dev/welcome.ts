// What `npm start` tells a person when all is ready: where to go, who to be, what to try first.
import type { Issuer } from './issuer.ts';

/** Who the ready-made tokens are for. */
export const people = [
  { sub: 'alice', what: 'a customer', scope: '' },
  { sub: 'rider', what: 'a rider', scope: 'deliveries:read deliveries:write' },
  { sub: 'operator', what: 'an operator', scope: 'orders:read:all orders:release menus:write deliveries:read' },
] as const;

const tokenHours = 12;

/** The first three operations, in the order in which they are worth running. `menuIds` are of two dishes. */
export function firstOperations([first, second]: readonly [string, string]): readonly { why: string; text: string }[] {
  const items = [
    { menuId: first, quantity: 2 },
    { menuId: second, quantity: 1 },
  ];
  const list = items.map(({ menuId, quantity }) => `{ menuId: "${menuId}", quantity: ${String(quantity)} }`).join(', ');
  return [
    {
      why: 'watch your orders, in a tab of its own',
      text: 'subscription Watch { myOrderStatusChanged { previousStatus status order { id payment { status } delivery { id status } } } }',
    },
    {
      why: 'order, and pay by that',
      text: `mutation Place { placeOrder(input: { items: [${list}], deliveryAddress: "1 Sejong-daero, Seoul" }) { order { id status total { amount currency } } } }`,
    },
    {
      why: 'your page',
      text: 'query MyPage { myOrders(first: 5) { edges { node { id status total { amount currency } items { menuName quantity } payment { status } delivery { id status } timeline { status at } } } } }',
    },
  ];
}

export async function welcome(options: {
  readonly graphqlUrl: string;
  readonly issuer: Issuer;
  readonly menuIds: readonly [string, string];
  readonly logFolder: string;
}): Promise<string> {
  const { graphqlUrl, issuer, menuIds, logFolder } = options;
  const tokens = await Promise.all(
    people.map(async ({ sub, what, scope }) => {
      const token = await issuer.token({ sub, scope, expiresInSeconds: tokenHours * 3_600 });
      const page = new URL(`/graphiql#token=${token}`, graphqlUrl).href;
      return `  ${sub}, ${what}${scope === '' ? '' : `: ${scope}`}\n${page}\n`;
    }),
  );
  const operations = firstOperations(menuIds).map(
    ({ why, text }, index) => `  ${String(index + 1)}. ${why}\n${text}\n`,
  );
  return [
    '',
    `Supergraph ready at ${graphqlUrl}`,
    '',
    `  Apollo Sandbox   ${graphqlUrl}`,
    `  Explorer         ${new URL('/graphiql', graphqlUrl).href} (works without the internet)`,
    `  Logs             ${logFolder}`,
    '',
    `Signed in for ${String(tokenHours)} hours: open one of these, or send what is behind "token=" as "Authorization: Bearer <token>"`,
    ...tokens,
    'To try first, as alice',
    ...operations,
    'Another token: npm run --silent token -- --sub bob --scope "orders:read:all"',
    'To stop: Ctrl-C',
  ].join('\n');
}

/** Two dishes of the menu; when there are not two, words that say what is missing. */
export async function findMenuIds(graphqlUrl: string): Promise<readonly [string, string]> {
  try {
    const response = await fetch(graphqlUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ menus(first: 2) { edges { node { id } } } }' }),
      signal: AbortSignal.timeout(5_000),
    });
    const { data } = (await response.json()) as { data?: { menus: { edges: { node: { id: string } }[] } } | null };
    const [first, second] = data?.menus.edges.map((edge) => edge.node.id) ?? [];
    if (first !== undefined) return [first, second ?? first];
  } catch {
    // Nothing depends on it.
  }
  return ['<id of a menu>', '<id of a menu>'];
}
