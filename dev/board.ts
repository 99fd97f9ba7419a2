// What `npm start` shows: on a terminal a table that is redrawn in place, elsewhere a line for each thing that happens.
import type { StackEvent } from './stack.ts';

/** A part of the stack, as the table shows it. */
export interface Part {
  readonly name: string;
  readonly address: string;
  readonly state: StackEvent['state'];
  readonly restarts: number;
  /** What is wrong, if anything: the last end, a check that fails. */
  readonly trouble: string | undefined;
}

/** Where the board is written. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface Board {
  show(event: StackEvent): void;
  /** Says what a part's own health checks find: `undefined` when all is well. */
  trouble(part: string, what: string | undefined): void;
  /** Writes text that stays, above the table. */
  print(text: string): void;
  /** Ends the redrawing; the table stays. */
  close(): void;
}

const order = ['postgres', 'nats', 'order', 'payment', 'delivery', 'router'];
const titles: Readonly<Record<string, string>> = { postgres: 'PostgreSQL', nats: 'NATS' };
const colours: Readonly<Record<string, string>> = {
  ready: '32',
  external: '32',
  restarting: '31',
  stopped: '2',
  waiting: '2',
};

export function createBoard(screen: Screen, options: { readonly colour: boolean; readonly now?: () => number }): Board {
  const now = options.now ?? Date.now;
  const startedAt = now();
  const parts = new Map<string, Part>();
  // The table must fit, or the cursor cannot go back to its beginning.
  const redraws = screen.isTTY === true && (screen.rows ?? 24) > order.length + 6;
  let drawn = 0;

  const draw = (): void => {
    if (!redraws || parts.size === 0) return;
    const lines = renderTable([...parts.values()], { width: screen.columns ?? 80, colour: options.colour });
    screen.write(`${erase(drawn)}${lines.join('\n')}\n`);
    drawn = lines.length;
  };
  const say = (line: string): void => {
    if (!redraws) screen.write(`${seconds(now() - startedAt)}  ${line}\n`);
  };

  return {
    show(event) {
      const known = parts.get(event.part);
      // How a process ended matters when nobody had asked it to.
      const unasked = event.state === 'restarting' || (event.state === 'stopped' && known?.state !== 'stopping');
      const trouble = unasked ? event.detail : undefined;
      const { part: name, address, state, restarts = 0 } = event;
      parts.set(name, { name, address, state, restarts, trouble });
      if (known?.state !== state && state !== 'waiting') say(sentence(event));
      draw();
    },
    trouble(name, what) {
      const known = parts.get(name);
      if (known === undefined || known.trouble === what || known.state !== 'ready') return;
      parts.set(name, { ...known, trouble: what });
      say(`${title(name)} ${what === undefined ? 'is well again' : `reports: ${what}`}`);
      draw();
    },
    print(text) {
      screen.write(`${erase(drawn)}${text}\n`);
      drawn = 0;
      draw();
    },
    close() {
      parts.clear();
      drawn = 0;
    },
  };
}

/** The table, one string a line, none longer than `width`. */
export function renderTable(
  parts: readonly Part[],
  { width, colour }: { readonly width: number; readonly colour: boolean },
): string[] {
  const rank = (name: string): number => order.indexOf(name.replace(/-\d+$/, ''));
  const sorted = [...parts].sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
  const widest = (texts: readonly string[]): number => Math.max(...texts.map((text) => text.length));
  const nameWidth = widest(['part', ...sorted.map((part) => title(part.name))]);
  const addressWidth = widest(['address', ...sorted.map((part) => localName(part.address))]);
  const stateWidth = 'restarting'.length;
  const line = (name: string, address: string, state: string, restarts: string, trouble: string): string =>
    [name.padEnd(nameWidth), address.padEnd(addressWidth), state.padEnd(stateWidth), restarts.padStart(8), trouble]
      .join('  ')
      .slice(0, width)
      .trimEnd();
  const rows = sorted.map((part) => {
    const row = line(
      title(part.name),
      localName(part.address),
      part.state,
      part.state === 'external' ? '' : String(part.restarts),
      part.trouble ?? '',
    );
    if (!colour) return row;
    const code = part.state === 'ready' && part.trouble !== undefined ? '33' : (colours[part.state] ?? '33');
    const at = nameWidth + addressWidth + 4;
    const end = at + part.state.length;
    return row.length < end ? row : `${row.slice(0, at)}\x1b[${code}m${row.slice(at, end)}\x1b[0m${row.slice(end)}`;
  });
  return ['', line('part', 'address', 'state', 'restarts', ''), ...rows];
}

function sentence({ part, state, address, detail, pid }: StackEvent): string {
  const name = title(part);
  const because = detail === undefined ? '' : `: ${detail}`;
  switch (state) {
    case 'external':
      return `${name} is external, at ${address}`;
    case 'migrating':
      return `${name} migrates its database`;
    case 'ready':
      return `${name} is ready at ${localName(address)} (pid ${String(pid)})`;
    default:
      return `${name} is ${state}${because}`;
  }
}

const title = (name: string): string => titles[name] ?? name;
const localName = (address: string): string => address.replace('//127.0.0.1', '//localhost');
const erase = (lines: number): string => (lines === 0 ? '' : `\x1b[${String(lines)}A\x1b[J`);
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1).padStart(5)} s`;
