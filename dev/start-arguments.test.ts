// The command line of npm start: what is understood, and what is a problem.
import { expect, test } from '@jest/globals';
import { readStartArguments, startUsage } from './start-arguments.ts';

test('without arguments the last run goes on', () => {
  expect(readStartArguments([])).toEqual({ fresh: false, help: false, data: undefined });
});

test('--fresh, --data and --help are understood', () => {
  expect(readStartArguments(['--fresh', '--data', 'x'])).toEqual({ fresh: true, help: false, data: 'x' });
  expect(readStartArguments(['-h'])).toMatchObject({ help: true });
});

test.each([[['--frehs']], [['fresh']], [['--fresh=no']], [['--data']]])('%j is a problem that is named', (args) => {
  expect(readStartArguments(args)).toEqual({ problem: expect.stringMatching(/\w/) });
});

test('the usage names every port variable', () => {
  for (const part of ['ROUTER', 'ORDER', 'PAYMENT', 'DELIVERY', 'POSTGRES', 'NATS']) {
    expect(startUsage).toContain(`${part}_PORT`);
  }
});
