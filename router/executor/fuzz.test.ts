// A short run of the differential fuzz.
import { expect, test } from '@jest/globals';
import { fuzz } from './fuzz.ts';

// The long run is `npm run fuzz -- --operations 20000 --seed 1`.
test('random operations over eight supergraphs have the results of graphql-js on the merged schema, and of ApolloGateway', async () => {
  const report = await fuzz({ operations: 30, seed: 7 });
  expect(report.differences).toEqual([]);
  expect(report.total.withErrors).toBeGreaterThan(5);
  expect(report.total.gateways).toBeGreaterThan(20);
  expect(report.total.subscriptions).toBeGreaterThan(0);
}, 240_000);
