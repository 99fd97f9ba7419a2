// How answers leave over HTTP: heads, whole bodies, JSON, pages and refusals. Everything about requests is elsewhere.
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { CodedError, errorTable } from '../service/errors.ts';
import type { ErrorCode } from '../service/errors.ts';
import type { Page } from './pages.ts';

type Headers = Iterable<readonly [string, string]>;

export interface HttpAnswers {
  /** Writes the head of an answer; whoever calls it writes the rest. */
  begin(response: ServerResponse, status: number, headers: Headers): void;
  /** The one place where a whole body leaves. */
  send(response: ServerResponse, status: number, headers: Headers, body: string | Buffer): void;
  sendJson(response: ServerResponse, status: number, value: unknown): void;
  sendPage(response: ServerResponse, page: Page): void;
  refuse(response: ServerResponse, status: number, code: ErrorCode, message?: string): void;
  /** @throws the error again when it is none that a client caused */
  refuseError(response: ServerResponse, error: unknown): void;
}

const jsonHead = [
  ['cache-control', 'no-store'],
  ['content-type', 'application/json; charset=utf-8'],
] as const;

/** A persisted query that is not known is part of the protocol, not a failure. */
const statusByCode: Readonly<Record<string, number>> = {
  RATE_LIMITED: 429,
  PERSISTED_QUERY_NOT_FOUND: 200,
  PERSISTED_QUERY_NOT_SUPPORTED: 200,
};

/**
 * @param isDraining whether each connection is to be closed behind its answer. It is asked when the head is written: to keep a set of
 * the answers under way for the moment when the drain begins would keep all their garbage alive as well (ADR 17).
 * @param onRefused told of each refusal.
 */
export function createHttpAnswers(isDraining: () => boolean, onRefused: (code: ErrorCode) => void): HttpAnswers {
  /** The head as a list costs less than headers that are set one by one. */
  const writeHead = (response: ServerResponse, status: number, headers: Headers, length?: number): ServerResponse => {
    const head: string[] = [];
    for (const [name, value] of headers) head.push(name, value);
    if (length !== undefined) head.push('content-length', String(length));
    if (isDraining()) response.setHeader('connection', 'close');
    return response.writeHead(status, head);
  };

  const answers: HttpAnswers = {
    begin: (response, status, headers) => void writeHead(response, status, headers),
    send: (response, status, headers, body) =>
      void writeHead(response, status, headers, Buffer.byteLength(body)).end(body),
    sendJson: (response, status, value) => answers.send(response, status, jsonHead, JSON.stringify(value)),
    sendPage(response, { contentType, headers, body }) {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.setHeader('x-content-type-options', 'nosniff');
      answers.send(response, 200, [['content-type', contentType]], body);
    },
    refuse(response, status, code, message = errorTable[code].message) {
      onRefused(code);
      answers.sendJson(response, status, { errors: [{ message, extensions: { code } }] });
    },
    refuseError(response, error) {
      if (!(error instanceof CodedError)) throw error;
      onRefused(error.code);
      const { message, extensions } = error;
      const { retryAfter } = extensions;
      if (typeof retryAfter === 'number') response.setHeader('retry-after', retryAfter);
      answers.sendJson(response, statusByCode[error.code] ?? 400, { errors: [{ message, extensions }] });
    },
  };
  return answers;
}

/** What is no HTTP, too long a head, or too slow: there is no request to answer, only a connection. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) return void socket.destroy();
  const [status, code]: [string, ErrorCode] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'REQUEST_TIMEOUT']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'BAD_REQUEST']
        : ['400 Bad Request', 'BAD_REQUEST'];
  const body = JSON.stringify({ errors: [{ message: errorTable[code].message, extensions: { code } }] });
  const head = [`HTTP/1.1 ${status}`, 'connection: close', 'content-type: application/json; charset=utf-8'];
  socket.end(`${head.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
