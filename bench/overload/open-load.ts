// Load at a rate of its own, whatever the answers: requests come when they are due, as those of many clients do who know nothing of each
// other. A request is counted from the moment when it was due. A child process, told over IPC what to ask.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { requestsOf } from '../query/graph.ts';

export interface OpenLoadOrder {
  readonly port: number;
  /** What is asked, with requests a second for each. */
  readonly rates: Readonly<Record<string, number>>;
  readonly milliseconds: number;
  readonly connections: number;
}

/** What came of the requests that were due in one second. */
export interface Second {
  readonly operation: string;
  readonly second: number;
  readonly ok: number;
  /** Status 200, with errors beside the data. */
  readonly partial: number;
  /** Status 503 with Retry-After. */
  readonly shed: number;
  /** Any other status, or a connection that broke. */
  readonly failed: number;
  /** Due when no connection was free. */
  readonly unsent: number;
  /** Milliseconds of the answers with data, in order. */
  readonly latencies: readonly number[];
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] extends readonly number[] ? number[] : T[Key] };
type Tally = Mutable<Second>;

process.on('message', (order: OpenLoadOrder) => {
  void run(order).then((seconds) => process.send?.(seconds));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function run({ port, rates, milliseconds, connections }: OpenLoadOrder): Promise<Second[]> {
  const tallies = new Map<string, Tally>();
  const tallyOf = (operation: string, second: number): Tally => {
    const key = `${operation} ${String(second)}`;
    let tally = tallies.get(key);
    if (tally === undefined) {
      tally = { operation, second, ok: 0, partial: 0, shed: 0, failed: 0, unsent: 0, latencies: [] };
      tallies.set(key, tally);
    }
    return tally;
  };
  const free: Connection[] = [];
  const all = await Promise.all(Array.from({ length: connections }, () => open(port, free)));
  free.push(...all);
  const startedAt = performance.now();
  let underWay = 0;
  const sources = Object.entries(rates).map(([name, rate]) => ({ name, rate, sent: 0, requests: requestsOf(name) }));

  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsed = performance.now() - startedAt;
      if (elapsed >= milliseconds) {
        if (underWay > 0 && elapsed < milliseconds + 10_000) return;
        clearInterval(timer);
        return resolve();
      }
      for (const source of sources) {
        while (source.sent < (elapsed / 1_000) * source.rate) {
          const dueAt = startedAt + (source.sent / source.rate) * 1_000;
          const tally = tallyOf(source.name, Math.floor((dueAt - startedAt) / 1_000));
          const request = source.requests[source.sent++ % source.requests.length] as Buffer;
          // Each in its turn: a server closes one that sends nothing for ten seconds.
          const connection = free.shift();
          if (connection === undefined) {
            tally.unsent++;
            continue;
          }
          underWay++;
          connection.ask(request, (status, isPartial) => {
            underWay--;
            if (status === 503) tally.shed++;
            else if (status !== 200) tally.failed++;
            else {
              if (isPartial) tally.partial++;
              else tally.ok++;
              tally.latencies.push(performance.now() - dueAt);
            }
          });
        }
      }
    }, 1);
  });
  for (const connection of all) connection.close();
  for (const { latencies } of tallies.values()) latencies.sort((one, other) => one - other);
  return [...tallies.values()].sort((one, other) => one.second - other.second);
}

type Told = (status: number, isPartial: boolean) => void;

interface Connection {
  ask(request: Buffer, told: Told): void;
  close(): void;
}

/** A connection that is made again when it breaks. Answers have to tell their length. */
async function open(port: number, free: Connection[]): Promise<Connection> {
  let socket: Socket;
  let told: Told | undefined;
  let received = '';
  let closed = false;
  const end = (status: number, isPartial: boolean): void => {
    const tell = told;
    told = undefined;
    received = '';
    if (tell === undefined) return;
    tell(status, isPartial);
    free.push(connection);
  };
  const onData = (chunk: Buffer): void => {
    received += chunk.toString('latin1');
    const headEnd = received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(received.slice(0, headEnd))?.[1] ?? NaN);
    if (received.length < headEnd + 4 + length) return;
    const status = Number(received.slice(9, 12));
    const isRefusal = status !== 503 || /\r\nretry-after: /i.test(received.slice(0, headEnd));
    end(isRefusal ? status : 0, received.startsWith('{"errors"', headEnd + 4));
  };
  const dial = (): Promise<void> =>
    new Promise((resolve) => {
      socket = connect({ port, host: '127.0.0.1', noDelay: true }, resolve);
      socket.on('data', onData);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (closed) return;
        end(0, false);
        void dial();
        resolve();
      });
    });
  const connection: Connection = {
    ask(request, then) {
      told = then;
      socket.write(request);
    },
    close() {
      closed = true;
      socket.destroy();
    },
  };
  await dial();
  return connection;
}
