// The tree that the answers of subgraphs are merged into. Its keys are those of the plan's fetches, not yet the client's;
// `dataKeysFor` sees to it that none of them is a name of Object.prototype.
import { compileCode } from './code.ts';

/** An object of the tree, as JSON.parse makes them. */
export type DataObject = Record<string, unknown>;

/** Whether a value is an object of the tree: neither null nor a list. */
export function isDataObject(value: unknown): value is DataObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Merges what a fetch brought into an object of the tree. With `isShared`, parts of `source` are copied into it. */
export type Merge = (target: DataObject, source: DataObject, isShared: boolean) => void;

/**
 * Makes the general merge. Null never hides what another subgraph knew, and the name of an object type is never replaced
 * by that of an interface, which is what subgraphs with `@interfaceObject` call it.
 */
export function createMerge(objectTypes: ReadonlySet<string>): Merge {
  const merge: Merge = (target, source, isShared) => {
    for (const key in source) {
      const value = source[key];
      if (value !== undefined) mergeKey(target, key, value, isShared);
    }
  };
  const mergeKey = (target: DataObject, key: string, value: unknown, isShared: boolean): void => {
    const present = target[key];
    if (present === undefined || present === null) {
      target[key] = isShared ? copy(value) : value;
    } else if (value === null || value === present) {
      return;
    } else if (typeof present !== 'object') {
      if (key === '__typename' && typeof present === 'string' && objectTypes.has(present)) return;
      target[key] = isShared ? copy(value) : value;
    } else {
      target[key] = mergeValues(present, value, isShared);
    }
  };
  const mergeValues = (present: object, value: unknown, isShared: boolean): unknown => {
    if (Array.isArray(present)) {
      if (!Array.isArray(value) || value.length !== present.length) return isShared ? copy(value) : value;
      for (let i = 0; i < value.length; i++) {
        const before: unknown = present[i];
        const after: unknown = value[i];
        if (after === null || after === before) continue;
        const isNested = typeof before === 'object' && before !== null;
        present[i] = isNested ? mergeValues(before, after, isShared) : isShared ? copy(after) : after;
      }
      return present;
    }
    if (!isDataObject(value)) return isShared ? copy(value) : value;
    merge(present as DataObject, value, isShared);
    return present;
  };
  return merge;
}

/** Makes a merge that knows the keys that come, several times as fast. Others are left out. */
export function compileMerge(keys: Iterable<string>, general: Merge): Merge {
  const lines = [...keys].map((name) => {
    const key = JSON.stringify(name);
    return (
      `v=s[${key}];if(v!==undefined){if(t[${key}]===undefined)t[${key}]=c&&typeof v==="object"?copy(v):v;` +
      `else general(t,{${key}:v},c);}`
    );
  });
  const body = `return function(t,s,c){let v;${lines.join('')}}`;
  const make = compileCode(['copy', 'general'], body) as (copyValue: typeof copy, merge: Merge) => Merge;
  return make(copy, general);
}

/** A deep copy of a JSON value. */
export function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copy);
  const result: DataObject = {};
  for (const key in value) {
    const held = copy((value as DataObject)[key]);
    if (key !== '__proto__') result[key] = held;
    else Object.defineProperty(result, key, { value: held, writable: true, enumerable: true, configurable: true });
  }
  return result;
}
