// Tells the deferred blocks of one execution that a fetch which they depend on has come.

/** The fetches of a plan by their ids. */
export interface Gates {
  readonly open: (fetchId: string) => void;
  readonly opened: (fetchId: string) => Promise<void>;
}

/** For one execution. */
export function createGates(): Gates {
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const gate = (id: string): PromiseWithResolvers<void> => {
    const known = gates.get(id) ?? Promise.withResolvers<void>();
    gates.set(id, known);
    return known;
  };
  return {
    open: (id) => gate(id).resolve(),
    opened: (id) => gate(id).promise,
  };
}
