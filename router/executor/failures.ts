// Where errors stand in the client's response. An error that names a field is told at every place where the entity stands;
// one that names none (a subgraph that cannot be reached) is told at the fields that it leaves without data.
import type { GraphQLError } from 'graphql';
import type { DataObject } from './data.ts';
import type { SubgraphResponse } from './execute.ts';
import { clientKeyOf, isAliasOfClient } from './keys.ts';
import { locate } from './path.ts';
import { textOfBadAnswer, textOfError, toGraphQLError } from './run.ts';
import type { ErrorText, Failure, FetchInfo, Run } from './run.ts';
import type { Path, Shaped } from './shape-exact.ts';

/** One error is told at so many places at most: a page of a hundred rows does not need it a hundred times. */
export const maxPlacesPerError = 20;

/**
 * Notes the errors of an answer.
 * @param objectsAt the objects that an entry of `_entities` stands for; without an index, all that the fetch is about.
 */
export function recordErrors<Context>(
  run: Run<Context>,
  fetch: FetchInfo,
  { errors }: SubgraphResponse,
  objectsAt: (index?: number) => readonly DataObject[],
): void {
  if (!errors?.length) return;
  const placesOf = placeFinder(run.data);
  for (const error of errors) {
    const text = textOfError(error);
    const { path, index } = pathBelowObject(fetch, error.path);
    if (path.length === 0) {
      run.failures.push({ error: text, fetch, objects: objectsAt(index), isConsequence: false });
      continue;
    }
    const below = path.map((key) => (typeof key === 'string' ? clientKeyOf(fetch.aliases.get(key) ?? key) : key));
    const places = objectsAt(index).flatMap((object) => placesOf(fetch, object));
    const isAliased = path.some((key) => typeof key === 'string' && (fetch.aliases.has(key) || isAliasOfClient(key)));
    for (const place of places.slice(0, maxPlacesPerError)) {
      const placed = toGraphQLError(text, [...place, ...below]);
      if (isAliased) aliased.add(placed);
      run.errors.push(placed);
    }
  }
}

/** Errors of fields that have keys of our own: the client's alias for one may be the name of a field that others require. */
const aliased = new WeakSet<GraphQLError>();
const noKey = (): boolean => false;

/** All errors of a response, once it is known what is missing in it. `known` are those that were told before it ran. */
export function errorsOf<Context>(
  run: Run<Context>,
  { data, missing, violations }: Shaped,
  known: readonly GraphQLError[],
  isInputKey: (key: string) => boolean,
): GraphQLError[] {
  const errors = [
    ...known,
    ...run.errors.filter((error) => !isBeside(data, error.path ?? [], aliased.has(error) ? noKey : isInputKey)),
  ];
  if (run.failures.length > 0) errors.push(...failuresWhereMissing(run, missing));
  const told = [...errors];
  for (const { message, path, isNull, isMissing } of violations) {
    if (isNull && errors.some((error) => explains(error, path))) continue;
    // Where one field that is never null fails, the subgraph leaves out what stands beside it too.
    if (isMissing && told.some((error) => explains(error, path.slice(0, -1)))) continue;
    errors.push(toGraphQLError(textOfViolation(message), path));
  }
  return errors;
}

/**
 * Whether an error is about a field that the client has not asked for there: a fetch through an interface asks for what
 * other types need too. Fields that other fields require are told of, as they may be why those are missing.
 */
function isBeside(data: unknown, path: Path, isInputKey: (key: string) => boolean): boolean {
  let value = data;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return false;
    if (!Object.hasOwn(value, key)) return !isInputKey(String(key));
    value = (value as DataObject)[key];
  }
  return false;
}

function failuresWhereMissing<Context>(run: Run<Context>, missing: readonly Path[]): GraphQLError[] {
  const placesOf = placeFinder(run.data);
  const failuresAt = new Map<string, Failure[]>();
  for (const failure of run.failures) {
    for (const object of failure.objects) {
      for (const place of placesOf(failure.fetch, object)) {
        const key = place.join('/');
        const others = failuresAt.get(key);
        if (others) others.push(failure);
        else failuresAt.set(key, [failure]);
      }
    }
  }

  const errors: GraphQLError[] = [];
  const told = new Map<ErrorText, number>();
  for (const path of missing) {
    const cause = causeOf(path, failuresAt);
    const times = cause ? (told.get(cause.error) ?? 0) : maxPlacesPerError;
    if (!cause || times >= maxPlacesPerError) continue;
    told.set(cause.error, times + 1);
    errors.push(toGraphQLError(cause.error, path));
  }
  for (const { error, fetch, objects, isConsequence } of run.failures) {
    if (isConsequence || told.has(error)) continue;
    // Nothing the client asked for is missing, or what is missing is below a null: it is told where the fetch stood.
    told.set(error, 1);
    const place = objects.flatMap((object) => placesOf(fetch, object))[0];
    errors.push(toGraphQLError(error, place?.length ? place : undefined));
  }
  return errors;
}

/** The failure of the fetch that should have brought a field; else one that stands nearest above. */
function causeOf(path: Path, failuresAt: ReadonlyMap<string, readonly Failure[]>): Failure | undefined {
  const name = path.at(-1);
  const direct = failuresAt
    .get(path.slice(0, -1).join('/'))
    ?.find(({ fetch }) => [...fetch.keys()].some((key) => clientKeyOf(fetch.aliases.get(key) ?? key) === name));
  if (direct) return direct;
  for (let length = path.length; length >= 0; length--) {
    const above = failuresAt.get(path.slice(0, length).join('/'))?.find((failure) => !failure.isConsequence);
    if (above) return above;
  }
  return undefined;
}

/** Whether a null at `path` is the doing of an error that is told: it stands there, below, or above. `@` is any index. */
function explains(error: GraphQLError, path: Path): boolean {
  const isSame = (key: string | number, at: number): boolean =>
    at >= path.length || key === path[at] || (key === '@' && typeof path[at] === 'number');
  return error.path?.every(isSame) === true;
}

/** The path of an error without what leads to the object that the fetch is about. */
function pathBelowObject(fetch: FetchInfo, path: unknown): { readonly path: Path; readonly index?: number } {
  if (!Array.isArray(path) || !path.every((key) => typeof key === 'string' || typeof key === 'number')) {
    return { path: [] };
  }
  if (!fetch.isEntityFetch) return { path };
  const index: unknown = path[1];
  return path[0] === '_entities' && typeof index === 'number' ? { path: path.slice(2), index } : { path: [] };
}

/** Finds the places of an object, in the client's keys. The tree is walked once for each fetch. */
function placeFinder(root: DataObject): (fetch: FetchInfo, object: DataObject) => readonly Path[] {
  const found = new Map<FetchInfo, Map<DataObject, Path[]>>();
  return (fetch, object) => {
    let places = found.get(fetch);
    if (!places) {
      places = new Map();
      for (const place of locate(root, fetch.path)) {
        const path = place.path.map((key) => (typeof key === 'string' ? clientKeyOf(key) : key));
        const others = places.get(place.object);
        if (others) others.push(path);
        else places.set(place.object, [path]);
      }
      found.set(fetch, places);
    }
    return places.get(object) ?? [];
  };
}

const textOfViolation = (message: string): ErrorText => ({ ...textOfBadAnswer(message), message });
