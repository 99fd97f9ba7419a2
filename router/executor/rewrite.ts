// The planner's rewrites: values set in representations, keys renamed in answers, and values taken from above for `@fromContext`.
import type { FetchNode } from '@apollo/query-planner';
import { isDataObject, read, write, type DataObject } from './data.ts';
import type { Place } from './path.ts';
import type { TypeIndex } from './types.ts';

type DataRewrite = NonNullable<FetchNode['outputRewrites']>[number];
type ContextRewrite = NonNullable<FetchNode['contextRewrites']>[number];

const fragmentPrefix = '... on ';

/** Applies rewrites to a value, in place. */
export function applyRewrites(rewrites: readonly DataRewrite[], value: unknown, types: TypeIndex): void {
  for (const rewrite of rewrites) applyAt(rewrite, value, 0, types);
}

function applyAt(rewrite: DataRewrite, value: unknown, at: number, types: TypeIndex): void {
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) applyAt(rewrite, item, at, types);
    return;
  }
  const element = rewrite.path[at];
  if (!isDataObject(value) || element === undefined) return;
  if (element.startsWith(fragmentPrefix)) {
    if (fits(value, element, types)) applyAt(rewrite, value, at + 1, types);
  } else if (at < rewrite.path.length - 1) {
    applyAt(rewrite, read(value, element), at + 1, types);
  } else if (rewrite.kind === 'ValueSetter') {
    write(value, element, rewrite.setValueTo);
  } else {
    const renamed = read(value, element);
    if (renamed === undefined) return;
    write(value, rewrite.renameKeyTo, renamed);
    value[element] = undefined;
  }
}

/** The variables that an entity takes from the objects around it. A path goes up one object for each `..`. */
export function readContext(rewrites: readonly ContextRewrite[], place: Place, types: TypeIndex): DataObject {
  const variables: DataObject = {};
  for (const { path, renameKeyTo } of rewrites) {
    if (variables[renameKeyTo] !== undefined) continue;
    const up = path.filter((element) => element === '..').length;
    let value: unknown = up === 0 ? place.object : place.ancestors[place.ancestors.length - up];
    for (const element of path.slice(up)) {
      if (!isDataObject(value)) break;
      if (!element.startsWith(fragmentPrefix)) value = read(value, element);
      else if (!fits(value, element, types)) value = undefined;
    }
    if (value !== undefined) variables[renameKeyTo] = value;
  }
  return variables;
}

function fits(object: DataObject, fragment: string, types: TypeIndex): boolean {
  const typename = object['__typename'];
  return typeof typename !== 'string' || types.applies(fragment.slice(fragmentPrefix.length), typename);
}
