// Which web pages of other origins may call: by default none. No cookies are involved, a page must hold a token itself.
import type { IncomingMessage } from 'node:http';

const allowedHeaders =
  'content-type, authorization, accept, traceparent, tracestate, apollo-require-preflight, graphql-cost, x-apollo-operation-name, apollographql-client-name, apollographql-client-version';

/** The CORS headers of an answer. `origins` may hold `*`; `forwarded` names headers that pages may send besides. */
export function corsHeaders(
  request: IncomingMessage,
  origins: ReadonlySet<string>,
  forwarded: readonly string[],
): readonly (readonly [string, string])[] {
  if (origins.size === 0) return [];
  const { origin } = request.headers;
  const any = origins.has('*');
  const headers: [string, string][] = any ? [] : [['vary', 'Origin']];
  if (origin === undefined || (!any && !origins.has(origin))) return headers;
  headers.push(['access-control-allow-origin', any ? '*' : origin]);
  if (request.method === 'OPTIONS') {
    headers.push(
      ['access-control-allow-methods', 'GET, POST, OPTIONS'],
      ['access-control-allow-headers', [allowedHeaders, ...forwarded].join(', ')],
      ['access-control-max-age', '86400'],
    );
  } else {
    headers.push(['access-control-expose-headers', 'retry-after']);
  }
  return headers;
}
