// Walks the tree along the path of a Flatten node: fields, lists (`@`) and type conditions (`|[A,B]`).
import type { ResponsePath } from '@apollo/query-planner';
import { isDataObject, type DataObject } from './data.ts';

type Step =
  | { readonly kind: 'field'; readonly key: string }
  | { readonly kind: 'list' }
  | { readonly kind: 'types'; readonly names: ReadonlySet<string> };

/** A path ready to be walked; empty at the root. */
export type CompiledPath = readonly Step[];

/** Where an object stands in the tree. */
export interface Place {
  readonly object: DataObject;
  /** In keys of the tree. */
  readonly path: ReadonlyArray<string | number>;
  /** The objects above it, the root first. */
  readonly ancestors: readonly DataObject[];
}

/** Reads the path of a Flatten node, for example `['items', '@', 'node|[Book,Film]', 'author']`. */
export function compilePath(path: ResponsePath): CompiledPath {
  return path.flatMap((element): Step[] => {
    const text = String(element);
    const bar = text.indexOf('|[');
    const name = bar < 0 ? text : text.slice(0, bar);
    const steps: Step[] = [];
    if (name === '@') steps.push({ kind: 'list' });
    else if (name !== '') steps.push({ kind: 'field', key: name });
    if (bar >= 0) steps.push({ kind: 'types', names: new Set(text.slice(bar + 2, -1).split(',')) });
    return steps;
  });
}

/** The objects at the end of a path, in order. What is null, missing or of another type is passed over. */
export function collect(root: DataObject, path: CompiledPath): DataObject[] {
  const found: DataObject[] = [];
  collectFrom(root, path, 0, found);
  return found;
}

function collectFrom(start: unknown, path: CompiledPath, from: number, found: DataObject[]): void {
  let value = start;
  for (let at = from; at < path.length; at++) {
    const step = path[at];
    if (typeof value !== 'object' || value === null || step === undefined) return;
    if (Array.isArray(value)) {
      const next = step.kind === 'list' ? at + 1 : at;
      for (const item of value as unknown[]) collectFrom(item, path, next, found);
      return;
    }
    if (step.kind === 'field') value = (value as DataObject)[step.key];
    else if (step.kind === 'list' || !isOfType(value as DataObject, step.names)) return;
  }
  if (Array.isArray(value)) for (const item of value as unknown[]) collectFrom(item, path, path.length, found);
  else if (typeof value === 'object' && value !== null) found.push(value as DataObject);
}

/** Like `collect`, with where each object stands: the slow way, for errors and contexts. Same order. */
export function locate(root: DataObject, path: CompiledPath): Place[] {
  const places: Place[] = [];
  const visit = (value: unknown, at: number, taken: ReadonlyArray<string | number>, ancestors: DataObject[]): void => {
    const step = path[at];
    if (Array.isArray(value)) {
      const next = step?.kind === 'list' ? at + 1 : at;
      value.forEach((item: unknown, index) => visit(item, next, [...taken, index], ancestors));
    } else if (isDataObject(value)) {
      if (step === undefined) places.push({ object: value, path: taken, ancestors });
      else if (step.kind === 'field') {
        visit(value[step.key], at + 1, [...taken, step.key], [...ancestors, value]);
      } else if (step.kind === 'types' && isOfType(value, step.names)) visit(value, at + 1, taken, ancestors);
    }
  };
  visit(root, 0, [], []);
  return places;
}

/** Whether a walk along `path` passes through the end of `prefix`, or ends there. */
export function startsWith(path: CompiledPath, prefix: CompiledPath): boolean {
  const fields = path.filter((step) => step.kind !== 'types');
  return prefix
    .filter((step) => step.kind !== 'types')
    .every((step, at) => {
      const other = fields[at];
      return other?.kind === step.kind && (step.kind !== 'field' || other.kind !== 'field' || other.key === step.key);
    });
}

function isOfType(object: DataObject, names: ReadonlySet<string>): boolean {
  const typename = object['__typename'];
  return typeof typename !== 'string' || names.has(typename);
}
