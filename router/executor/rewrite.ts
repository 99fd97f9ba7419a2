// The planner's rewrites: values set in representations and keys renamed in answers.
import type { FetchNode } from '@apollo/query-planner';
import { isDataObject, type DataObject } from './data.ts';
import type { TypeIndex } from './types.ts';

type DataRewrite = NonNullable<FetchNode['outputRewrites']>[number];

/** How a rewrite's path names a type. */
export const fragmentPrefix = '... on ';

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
    applyAt(rewrite, value[element], at + 1, types);
  } else if (rewrite.kind === 'ValueSetter') {
    value[element] = rewrite.setValueTo;
  } else {
    const renamed = value[element];
    if (renamed === undefined) return;
    value[rewrite.renameKeyTo] = renamed;
    value[element] = undefined;
  }
}

/** Whether a `... on Type` of a rewrite holds of an object. One whose type is not known is taken for it. */
export function fits(object: DataObject, fragment: string, types: TypeIndex): boolean {
  const typename = object['__typename'];
  return typeof typename !== 'string' || types.applies(fragment.slice(fragmentPrefix.length), typename);
}
