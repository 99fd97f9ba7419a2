// Runs an operation with `@defer`: the answer without what is deferred, then each part when its fetches have come.
import type { ExecutionResult, GraphQLError } from 'graphql';
import { copy, type DataObject } from './data.ts';
import type { DeferredPart } from './defer.ts';
import type { Deferral, PartPlace } from './deferral.ts';
import { newRun, respond, type SubgraphFetch } from './execute.ts';
import { errorsOf } from './failures.ts';
import { createGates, type Gates } from './gates.ts';
import { inputKeysOf } from './keys.ts';
import type { CompiledOperation } from './operation.ts';
import type { PlanBlock } from './plan.ts';
import { textOfRejection, toGraphQLError, type Run } from './run.ts';
import type { Path } from './shape-exact.ts';

/** A part that will come, at one place. */
export interface PendingPart {
  readonly id: string;
  readonly path: Path;
  readonly label: string | undefined;
}

/** A part that has come. `data` is null when a null has risen through all of it. */
export interface DeliveredPart extends PendingPart {
  readonly data: DataObject | null;
  readonly errors: readonly GraphQLError[];
}

/** What has come together, and the parts inside it that are still to come. */
export interface Delivery {
  readonly delivered: readonly DeliveredPart[];
  readonly pending: readonly PendingPart[];
  readonly hasNext: boolean;
}

/** An answer in several pieces. */
export interface IncrementalExecution {
  readonly initial: ExecutionResult;
  readonly pending: readonly PendingPart[];
  /** To be read once. Never rejects. */
  readonly rest: AsyncGenerator<Delivery, void, undefined>;
}

/** A part with the places where it stands. */
interface Waiting {
  readonly part: DeferredPart;
  readonly places: readonly (PartPlace & PendingPart)[];
}

/**
 * Executes a query or a mutation whose deferred parts come later; `variables` are already coerced. An ordinary result when
 * nothing is left to wait for: what they add to is null. Never rejects.
 */
export async function executeIncrementally<Context>(
  operation: CompiledOperation,
  deferral: Deferral,
  variables: Readonly<Record<string, unknown>>,
  fetch: SubgraphFetch<Context>,
  context: Context,
): Promise<ExecutionResult | IncrementalExecution> {
  try {
    const { plan, shaper } = deferral;
    const gates = createGates();
    const run: Run<Context> = { ...newRun(plan, {}, variables, fetch, context), gates };
    const primary = plan.step?.(run) ?? Promise.resolve();
    const blocks = startBlocks(plan.blocks, run, { gates, primary });
    await primary;
    const initial = respond(operation, shaper, run, []);
    if (!initial.data) return initial;
    // What is delivered is laid into a copy of the answer, in which the places of inner parts are found.
    const response = copy(initial.data) as DataObject;
    const numbers = { next: 0 };
    const waitingIn = (parent: DeferredPart | undefined): Waiting[] =>
      deferral.parts
        .filter((part) => part.parent === parent)
        .map((part) => ({
          part,
          places: deferral
            .placesOf(part, response, run.data)
            .map((place) => ({ ...place, id: String(numbers.next++), label: part.label })),
        }))
        .filter(({ places }) => places.length > 0);
    const first = waitingIn(undefined);
    if (first.length === 0) return initial;
    const deliver = ({ part, places }: Waiting): DeliveredPart[] =>
      deliverPart(operation, deferral, part, places, {
        run: blocks.get(part.id)?.run ?? { ...run, errors: [], failures: [] },
        response,
      });
    return {
      initial,
      pending: pendingOf(first),
      rest: deliveries(first, waitingIn, (part) => blocks.get(part.id)?.done ?? Promise.resolve(), deliver),
    };
  } catch (error) {
    return { errors: [toGraphQLError(textOfRejection(error), undefined)], data: null };
  }
}

/** Starts each block as soon as the fetches that it depends on have come. Each notes errors of its own. */
function startBlocks<Context>(
  blocks: readonly PlanBlock[],
  run: Run<Context>,
  { gates, primary }: { readonly gates: Gates; readonly primary: Promise<void> },
): ReadonlyMap<string, { readonly run: Run<Context>; readonly done: Promise<void> }> {
  const started = new Map<string, { readonly run: Run<Context>; readonly done: Promise<void> }>();
  for (const { id, parent, depends, step } of blocks) {
    const own: Run<Context> = { ...run, errors: [], failures: [] };
    const above = (parent === undefined ? undefined : started.get(parent)?.done) ?? primary;
    const fetched = Promise.all(depends.map((fetchId) => gates.opened(fetchId)));
    const ready = depends.length > 0 ? Promise.race([fetched, above]) : above;
    started.set(id, { run: own, done: ready.then(() => (run.isHalted ? undefined : step?.(own))) });
  }
  return started;
}

async function* deliveries(
  first: readonly Waiting[],
  waitingIn: (parent: DeferredPart) => Waiting[],
  doneOf: (part: DeferredPart) => Promise<void>,
  deliver: (waiting: Waiting) => DeliveredPart[],
): AsyncGenerator<Delivery, void, undefined> {
  let ready: Waiting[] = [];
  let wake = Promise.withResolvers<void>();
  let open = 0;
  const wait = (waiting: readonly Waiting[]): void => {
    open += waiting.length;
    for (const one of waiting) {
      const come = (): void => {
        ready.push(one);
        wake.resolve();
      };
      doneOf(one.part).then(come, come);
    }
  };
  wait(first);
  while (open > 0) {
    await wake.promise;
    wake = Promise.withResolvers<void>();
    const come = ready;
    ready = [];
    open -= come.length;
    const delivered = come.flatMap(deliver);
    const inner = come.flatMap(({ part }) => waitingIn(part));
    wait(inner);
    yield { delivered, pending: pendingOf(inner), hasNext: open > 0 };
  }
}

function deliverPart<Context>(
  { supergraph }: CompiledOperation,
  deferral: Deferral,
  part: DeferredPart,
  places: Waiting['places'],
  { run, response }: { readonly run: Run<Context>; readonly response: DataObject },
): DeliveredPart[] {
  const shapes = places.map(({ object }) => deferral.shapePart(part, object, run.variables));
  shapes.forEach(({ data }, at) => {
    const target = places[at]?.target;
    if (data && target) lay(copy(data) as DataObject, target);
  });
  const below = <Item extends { readonly path: Path }>(items: readonly Item[], at: number): Item[] =>
    items.map((item) => ({ ...item, path: [...(places[at]?.path ?? []), ...item.path] }));
  const errors = errorsOf(
    run,
    {
      data: response,
      missing: shapes.flatMap(({ missing }, at) => missing.map((path) => [...(places[at]?.path ?? []), ...path])),
      violations: shapes.flatMap(({ violations }, at) => below(violations, at)),
    },
    [],
    (key) => inputKeysOf(supergraph).all.has(key),
  );
  return places.map(({ id, path, label }, at) => ({
    id,
    path,
    label,
    data: shapes[at]?.data ?? null,
    errors: errors.filter((error) => placeOf(error, places) === at),
  }));
}

/** Which of the places an error belongs to; the first when it does not say. */
function placeOf({ path = [] }: GraphQLError, places: Waiting['places']): number {
  return Math.max(
    0,
    places.findIndex((place) => place.path.every((key, at) => path[at] === key)),
  );
}

/** Lays what a part brings into the object that it adds to. */
function lay(source: DataObject, target: DataObject): void {
  for (const [key, value] of Object.entries(source)) {
    const present = Object.hasOwn(target, key) ? target[key] : undefined;
    if (Array.isArray(present) && Array.isArray(value) && present.length === value.length) {
      present.forEach((item: unknown, at) => {
        const next: unknown = value[at];
        if (isObject(item) && isObject(next)) lay(next, item);
        else present[at] = next;
      });
    } else if (isObject(present) && isObject(value)) lay(value, present);
    else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  }
}

const isObject = (value: unknown): value is DataObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const pendingOf = (waiting: readonly Waiting[]): PendingPart[] =>
  waiting.flatMap(({ places }) => places.map(({ id, path, label }) => ({ id, path, label })));
