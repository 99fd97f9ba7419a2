// Tells requests that a web page elsewhere may have made its visitor's browser send. A page can send a GET, or a POST that is no
// JSON, without asking first (a CORS preflight). The latter are refused for their content type; the former are told by what
// browsers say of every request (Fetch Metadata), and by its origin. This protects routers that only the visitor's network can reach,
// and visitors whose cookies go on to subgraphs (`FORWARD_HEADERS`), where an upgrade to a WebSocket is looked at too.
import type { IncomingMessage } from 'node:http';

/** Headers that a page cannot set without a preflight, which CORS then answers. */
const preflighted = ['authorization', 'apollo-require-preflight', 'x-apollo-operation-name'];
/** Bodies that a page can send without one. */
const simpleBodies = /^\s*(application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\s*(;|$)/i;

/**
 * Whether a page of another origin may have sent this without asking.
 * @param origins those that may call from elsewhere; may hold `*`.
 */
export function isCrossSite({ headers }: Pick<IncomingMessage, 'headers'>, origins: ReadonlySet<string>): boolean {
  if (preflighted.some((name) => (headers[name] ?? '') !== '')) return false;
  const type = headers['content-type'] ?? '';
  if (type !== '' && !simpleBodies.test(type)) return false;
  const { origin, host } = headers;
  if (origins.has('*') || (origin !== undefined && origins.has(origin))) return false;
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  // Browsers say where they are to addresses that are secure or local; elsewhere the origin must do. No browser, no visitor.
  return origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host);
}
