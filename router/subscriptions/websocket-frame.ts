// Writes WebSocket frames (RFC 6455) from server to client: text, final, unmasked. For bytes that many sockets share.

/** An empty ping. */
export const pingFrame = Buffer.from([0x89, 0x00]);

/** One text frame that holds `head` (a string), `body` (shared bytes) and `tail`, copied into one buffer. */
export function textFrame(head: string, body: Buffer, tail: string): Buffer {
  const headLength = Buffer.byteLength(head);
  const length = headLength + body.length + tail.length;
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = 0x81;
  if (start === 2) {
    frame[1] = length;
  } else if (start === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  frame.write(head, start);
  body.copy(frame, start + headLength);
  frame.write(tail, start + headLength + body.length, 'latin1');
  return frame;
}
