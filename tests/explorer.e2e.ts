// The pages for browsers, in a real one, over the stack that `npm start` runs, with no other network: a person signs in, watches
// and sees an order move.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startStack } from '../dev/stack.ts';
import type { Stack } from '../dev/stack.ts';
import { patient, signIn, subscriptionsOpen } from './client.ts';

const screenshots = new URL('../test-output/', import.meta.url).pathname;
const kimbap = '0190a000-0000-7000-8000-000000000001';

let stack: Stack;
let browser: Browser;

beforeAll(async () => {
  [stack, browser] = await Promise.all([
    startStack({
      dataDir: await mkdtemp(join(tmpdir(), 'baedal-explorer-')),
      disposable: true,
      environment: { router: patient },
    }),
    chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    }),
    mkdir(screenshots, { recursive: true }),
  ]);
});
afterAll(async () => {
  await browser.close();
  await stack.stop();
});

/** A page in a browser that reaches this origin only, and what it complained about. */
async function openPage(): Promise<{ page: Page; elsewhere: string[]; problems: string[]; context: BrowserContext }> {
  const { origin } = new URL(stack.graphqlUrl);
  const elsewhere: string[] = [];
  const problems: string[] = [];
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  await context.route(
    (url) => url.origin !== origin,
    (route) => {
      elsewhere.push(route.request().url());
      return route.abort();
    },
  );
  context.setDefaultTimeout(100_000);
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  return { page, elsewhere, problems, context };
}

test('in the explorer, without internet, a customer watches an order move', async () => {
  const { page, elsewhere, problems, context } = await openPage();
  const alice = await signIn(stack, 'alice');
  const token = await stack.issuer.token({ sub: 'alice' });
  await page.goto(`${new URL('/graphiql', stack.graphqlUrl).href}#token=${token}`);
  expect(page.url()).not.toContain(token);

  await page.getByText('Watch', { exact: true }).first().click();
  await page.getByText('Send Request').locator('visible=true').first().click();
  await subscriptionsOpen(stack, 1);

  const input = { items: [{ menuId: kimbap, quantity: 1 }] };
  const { placeOrder } = await alice.get<{ placeOrder: { order: { id: string } } }>(
    'mutation($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id } } }',
    { input },
  );
  const shown = page.locator('.cm-content', { hasText: placeOrder.order.id });
  await shown.filter({ hasText: '"status": "PAID"' }).first().waitFor();
  await page.screenshot({ path: join(screenshots, 'explorer.png') });
  expect(elsewhere).toEqual([]);
  expect(problems).toEqual([]);
  await context.close();
});

test('Sandbox at /graphql asks Apollo alone, and says what to do without internet', async () => {
  const { page, elsewhere, context } = await openPage();
  const response = await page.goto(stack.graphqlUrl);
  expect(response?.headers()['content-security-policy']).toContain("default-src 'none'");
  await page.getByText('Without internet, use the explorer').waitFor();
  expect(elsewhere).toEqual([
    'https://embeddable-sandbox.cdn.apollographql.com/v2/embeddable-sandbox.umd.production.min.js',
  ]);
  await page.getByRole('link', { name: '/graphiql' }).click();
  await page.getByText('Send Request').locator('visible=true').first().waitFor();
  await page.screenshot({ path: join(screenshots, 'explorer-signed-out.png') });
  await context.close();
});
