// Ports on the loopback interface, chosen so that two stacks never choose the same one.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** A port that no other holder has, also in other processes, until it is released or this process ends. */
export interface HeldPort {
  readonly port: number;
  release(): void;
}

/** Thrown when a port that was asked for by name cannot be had; the message is for a person. */
export class PortError extends Error {
  override readonly name = 'PortError';
}

// Below the range from which systems take the local ports of outgoing connections: there, a client that reconnects to a stopped
// server can be given the server's own port and talk to itself.
const lowest = 15_000;
const highest = 30_000;

/** Holds a port on which nothing listens. The UDP port of that number is the mark that other holders see. */
export async function holdPort(port: number): Promise<HeldPort | undefined> {
  const mark = createSocket('udp4');
  const marked = await new Promise<boolean>((resolve) => {
    mark.once('error', () => resolve(false));
    mark.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
  if (marked && (await isFree(port, '127.0.0.1')) && (await isFree(port, '::1'))) {
    mark.unref();
    return { port, release: once(() => mark.close()) };
  }
  mark.close();
  return undefined;
}

/** Holds any port. */
export async function holdFreePort(): Promise<HeldPort> {
  for (;;) {
    const held = await holdPort(lowest + Math.floor(Math.random() * (highest - lowest)));
    if (held !== undefined) return held;
  }
}

/** A port by the name of the environment variable that sets it. */
export interface PortWish {
  readonly variable: string;
  readonly preferred: number;
  /** What the variable says, when it is set. */
  readonly given: string | undefined;
}

/**
 * Holds a port for each wish: the one that its variable asks for, or the preferred one, or the next free one above all preferred.
 * @param say told in a sentence about each port that is not the preferred one because that one is taken.
 * @throws PortError when a variable asks for a port that is taken, or for none at all. Nothing is held then.
 */
export async function holdPorts(wishes: readonly PortWish[], say: (sentence: string) => void): Promise<HeldPort[]> {
  const held: HeldPort[] = [];
  try {
    for (const { variable, preferred, given } of wishes) {
      if (given !== undefined && given !== '') {
        held.push(await holdGivenPort(variable, given));
        continue;
      }
      let found = await holdPort(preferred);
      if (found === undefined) {
        const reserved = new Set(wishes.map((wish) => wish.preferred));
        for (let port = preferred + 1; found === undefined && port < 65_536; port++) {
          if (!reserved.has(port)) found = await holdPort(port);
        }
        if (found === undefined) throw new PortError(`No port is free above ${String(preferred)}: set ${variable}.`);
        say(`port ${String(preferred)} is taken; using ${String(found.port)} — set ${variable} to choose`);
      }
      held.push(found);
    }
    return held;
  } catch (error) {
    for (const { release } of held) release();
    throw error;
  }
}

async function holdGivenPort(variable: string, given: string): Promise<HeldPort> {
  const port = /^\d{1,5}$/.test(given) ? Number(given) : 0;
  if (port < 1 || port > 65_535) {
    throw new PortError(`${variable} is "${given}", and that is no port: it must be a whole number 1..65535.`);
  }
  const held = await holdPort(port);
  if (held !== undefined) return held;
  throw new PortError(
    `Port ${given} is taken, and ${variable} asks for it. Stop what listens there, or set ${variable} to another port.`,
  );
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'EADDRINUSE' && error.code !== 'EACCES'),
    );
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
