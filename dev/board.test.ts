// The status board: a redrawn table on a terminal, plain lines elsewhere.
import { expect, test } from '@jest/globals';
import { createBoard, renderTable } from './board.ts';
import type { Part } from './board.ts';

const ready: Part = {
  name: 'order',
  address: 'http://127.0.0.1:4001',
  state: 'ready',
  restarts: 0,
  trouble: undefined,
};

function screen(isTTY: boolean): {
  isTTY: boolean;
  columns: number;
  rows: number;
  written: string[];
  write(text: string): void;
} {
  const written: string[] = [];
  return { isTTY, columns: 100, rows: 40, written, write: (text) => written.push(text) };
}

test('the table shows parts from storage to router, instances beside each other', () => {
  const names = ['router', 'order-2', 'order', 'nats', 'postgres'];
  const lines = renderTable(
    names.map((name) => ({ ...ready, name })),
    { width: 100, colour: false },
  );
  expect(lines.slice(2).map((line) => line.split(' ')[0])).toEqual([
    'PostgreSQL',
    'NATS',
    'order',
    'order-2',
    'router',
  ]);
  expect(lines[4]).toBe('order       http://localhost:4001  ready              0');
});

test('no line is wider than the screen, coloured or not', () => {
  const long: Part = { ...ready, trouble: 'x'.repeat(200) };
  for (const colour of [true, false]) {
    const lines = renderTable([long], { width: 60, colour });
    for (const line of lines) expect(line.replaceAll(/\x1b\[\d+m/g, '').length).toBeLessThanOrEqual(60);
  }
});

test('a terminal gets the table redrawn in place, and printed text stays above it', () => {
  const tty = screen(true);
  const board = createBoard(tty, { colour: false });
  board.show({ part: 'order', state: 'starting', address: 'http://127.0.0.1:4001' });
  board.show({ part: 'order', state: 'ready', address: 'http://127.0.0.1:4001', pid: 7 });
  expect(tty.written.at(-1)?.startsWith('\x1b[3A\x1b[J')).toBe(true);
  board.print('Supergraph ready');
  expect(tty.written.at(-2)).toBe('\x1b[3A\x1b[JSupergraph ready\n');
  expect(tty.written.at(-1)).toContain('ready');
});

test('elsewhere each change is one plain line, told once', () => {
  const pipe = screen(false);
  const board = createBoard(pipe, { colour: false, now: () => 0 });
  const part = { part: 'order', address: 'http://127.0.0.1:4001' };
  board.show({ ...part, state: 'waiting' });
  board.show({ ...part, state: 'starting' });
  board.show({ ...part, state: 'starting', pid: 7 });
  board.show({ ...part, state: 'ready', pid: 7 });
  board.trouble('order', 'broker is down');
  board.trouble('order', 'broker is down');
  board.trouble('order', undefined);
  board.show({ ...part, state: 'restarting', detail: 'ended with SIGKILL', restarts: 1 });
  expect(pipe.written.map((line) => line.trim().replace(/^0\.0 s {2}/, ''))).toEqual([
    'order is starting',
    'order is ready at http://localhost:4001 (pid 7)',
    'order reports: broker is down',
    'order is well again',
    'order is restarting: ended with SIGKILL',
  ]);
});
