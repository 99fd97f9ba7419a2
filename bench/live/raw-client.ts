// Many light WebSocket clients in one process: sockets by hand, so that the clients cost little beside what is measured.
import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';

/** One open WebSocket that speaks graphql-transport-ws. */
export interface RawClient {
  readonly socket: Socket;
  /** Sends one text message. */
  send(text: string): void;
  /** Called with each text message. */
  onMessage: (text: Buffer) => void;
  onClose: (code: number, reason: string) => void;
}

/** Opens a WebSocket; resolves after the handshake. */
export function openRaw(url: string, protocol: string): Promise<RawClient> {
  const { hostname, port, pathname } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<RawClient>();
  const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
  let rest: Buffer = Buffer.alloc(0);
  let handshaken = false;
  let code = 1006;
  let reason = '';
  const client: RawClient = {
    socket,
    send: (text) => void socket.write(maskedFrame(0x81, Buffer.from(text))),
    onMessage: () => undefined,
    onClose: () => undefined,
  };
  socket.on('connect', () =>
    socket.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
    ),
  );
  socket.on('error', reject);
  socket.on('close', () => client.onClose(code, reason));
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (!handshaken) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      const status = rest.toString('latin1', 0, 12);
      if (status !== 'HTTP/1.1 101') return reject(new Error(status));
      handshaken = true;
      rest = rest.subarray(end + 4);
      resolve(client);
    }
    for (;;) {
      if (rest.length < 2) return;
      let length = (rest[1] as number) & 0x7f;
      let start = 2;
      if (length === 126) {
        if (rest.length < 4) return;
        length = rest.readUInt16BE(2);
        start = 4;
      } else if (length === 127) {
        if (rest.length < 10) return;
        length = rest.readUInt32BE(6);
        start = 10;
      }
      if (rest.length < start + length) return;
      const opcode = (rest[0] as number) & 0x0f;
      const body = rest.subarray(start, start + length);
      rest = rest.subarray(start + length);
      if (opcode === 1) client.onMessage(body);
      else if (opcode === 9) socket.write(maskedFrame(0x8a, body));
      else if (opcode === 8) {
        code = body.length >= 2 ? body.readUInt16BE(0) : 1005;
        reason = body.toString('utf8', 2);
        socket.end(maskedFrame(0x88, body));
      }
    }
  });
  return promise;
}

/** A client's frame; the mask is zero, which is a mask. */
function maskedFrame(first: number, body: Buffer): Buffer {
  const long = body.length >= 126;
  const head = Buffer.alloc(long ? 8 : 6);
  head[0] = first;
  if (long) {
    head[1] = 0xfe;
    head.writeUInt16BE(body.length, 2);
  } else {
    head[1] = 0x80 | body.length;
  }
  return Buffer.concat([head, body]);
}
