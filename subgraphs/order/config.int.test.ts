// What the process does with a configuration that does not fit: it says everything at once and exits 2.
import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';

const run = (environment: Record<string, string>) =>
  spawnSync(process.execPath, ['subgraphs/order/main.ts'], { env: environment, encoding: 'utf8', timeout: 30_000 });

const good = { AUTH_JWKS: 'keys.json', ORDER_DATABASE_URL: 'postgres://localhost/order' };

test.each(['PAID', 'ordered', 'HOLD'])('ORDER_INITIAL_STATUS=%s stops it at start, with a clear message', (value) => {
  const { status, stderr, stdout } = run({ ...good, ORDER_INITIAL_STATUS: value });
  expect(status).toBe(2);
  expect(stderr).toBe(
    'The configuration has problems:\n' +
      '  ORDER_INITIAL_STATUS must be ORDERED or ON_HOLD (status of a new order; ON_HOLD keeps it back from payment until releaseOrder)\n',
  );
  expect(stdout).toBe('');
});

test('all that is wrong is said at once', () => {
  const { status, stderr } = run({ ORDER_PORT: '99999', SHOP_CURRENCY: 'won' });
  expect(status).toBe(2);
  for (const variable of ['AUTH_JWKS', 'ORDER_DATABASE_URL', 'ORDER_PORT', 'SHOP_CURRENCY']) {
    expect(stderr).toContain(`\n  ${variable} `);
  }
});
