// Which headers of a client's request go on to subgraphs, besides the token and the trace: those that are named, and of these none
// that belongs to one connection, one body, or what the router itself says to a subgraph.

/** Headers that go on with each fetch of a request. */
export interface ForwardedHeaders {
  /** Names and values in turn. */
  readonly pairs: readonly string[];
  /** Equal for equal headers. It begins and ends with a line break, which no header can hold, so it can stand among other text. */
  readonly key: string;
}

/** Picks them from the headers of a request; undefined when it has none of them. */
export type ForwardHeaders = (
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
) => ForwardedHeaders | undefined;

/** Of one connection (RFC 9110, 7.6.1), of its handshake, of one body, or written for each fetch anew. */
const ownHeaders =
  /^(connection|proxy-.*|keep-alive|te|trailer|transfer-encoding|upgrade|http2-settings|sec-websocket-.*|host|expect|content-.*|accept|accept-encoding|authorization|traceparent|tracestate)$/;
/** A `token` of RFC 9110. */
const headerName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** @returns the names in lower case, each once. @throws Error naming the first that cannot go on */
export function forwardableNames(names: readonly string[]): readonly string[] {
  const lower = names.map((name) => name.toLowerCase());
  for (const name of lower) {
    if (name === '*' || !headerName.test(name)) throw new Error(`"${name}" is no name of a header`);
    if (ownHeaders.test(name)) throw new Error(`"${name}" is the router's own to say to a subgraph, or to leave out`);
  }
  return [...new Set(lower)];
}

/** @param names as `forwardableNames` gives them. */
export function createForwardHeaders(names: readonly string[]): ForwardHeaders {
  if (names.length === 0) return () => undefined;
  return (headers) => {
    const pairs: string[] = [];
    for (const name of names) {
      // A name such as `constructor` would find what every object has.
      const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
      if (value !== undefined) pairs.push(name, typeof value === 'string' ? value : value.join(', '));
    }
    return pairs.length === 0 ? undefined : { pairs, key: `\n${JSON.stringify(pairs)}\n` };
  };
}
