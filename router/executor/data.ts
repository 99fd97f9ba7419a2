// The tree that the answers of subgraphs are merged into. Its keys are those of the plan's fetches, not yet the client's;
// `dataKeysFor` sees to it that none of them is a name of Object.prototype.

/** An object of the tree, as JSON.parse makes them. */
export type DataObject = Record<string, unknown>;

/** Whether a value is an object of the tree: neither null nor a list. */
export function isDataObject(value: unknown): value is DataObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Merges what a fetch brought into an object of the tree; parts of `source` become parts of `target`. Null never hides
 * what another subgraph knew, and the name of an object type is never replaced by that of an interface, which is what
 * subgraphs with `@interfaceObject` call it.
 */
export function merge(target: DataObject, source: DataObject, objectTypes: ReadonlySet<string>): void {
  for (const key in source) {
    const value = source[key];
    if (value === undefined) continue;
    const present = target[key];
    if (present === undefined || present === null) {
      target[key] = value;
    } else if (value === null) {
      continue;
    } else if (typeof present !== 'object') {
      if (key === '__typename' && typeof present === 'string' && objectTypes.has(present)) continue;
      target[key] = value;
    } else if (present !== value) {
      target[key] = mergeValues(present, value, objectTypes);
    }
  }
}

function mergeValues(present: object, value: unknown, objectTypes: ReadonlySet<string>): unknown {
  if (Array.isArray(present)) {
    if (!Array.isArray(value) || value.length !== present.length) return value;
    for (let i = 0; i < value.length; i++) {
      const before: unknown = present[i];
      const after: unknown = value[i];
      if (after === null || after === before) continue;
      present[i] = typeof before === 'object' && before !== null ? mergeValues(before, after, objectTypes) : after;
    }
    return present;
  }
  if (!isDataObject(value)) return value;
  merge(present as DataObject, value, objectTypes);
  return present;
}

/** A deep copy of a JSON value. */
export function copy<Value>(value: Value): Value {
  return copyValue(value) as Value;
}

function copyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyValue);
  return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, copyValue(held)]));
}
