// Executes plans whose fetches stand in the wrong order: the plan is run again for the objects that a fetch could not ask
// for yet, until nothing new comes.
import type { DataObject } from './data.ts';
import type { FetchInfo, Run, Step } from './run.ts';

/** What a run of such a plan remembers. */
export interface CatchUp {
  /** The objects that each fetch has asked for. */
  readonly asked: Map<FetchInfo, Set<DataObject>>;
  /** Whether a round has asked for anything. */
  hasProgress: boolean;
  /** Whether a round met an object that lacks a required field. */
  isLacking: boolean;
  /** Whether this round takes a part of what is required for the whole, because the rest will not come. */
  isPartOk: boolean;
}

/** For a run that has not begun. */
export function newCatchUp(): CatchUp {
  return { asked: new Map(), hasProgress: false, isLacking: false, isPartOk: false };
}

/** Those of the objects that a fetch has not asked for yet. */
export function notAsked(catchUp: CatchUp, fetch: FetchInfo, objects: readonly DataObject[]): DataObject[] {
  const asked = catchUp.asked.get(fetch);
  return objects.filter((object) => asked?.has(object) !== true);
}

/** Notes that a fetch asks for objects. */
export function noteAsked(catchUp: CatchUp, fetch: FetchInfo, objects: readonly DataObject[]): void {
  catchUp.hasProgress = true;
  let asked = catchUp.asked.get(fetch);
  if (!asked) catchUp.asked.set(fetch, (asked = new Set()));
  for (const object of objects) asked.add(object);
}

/** Runs a plan in rounds. */
export async function runInRounds<Context>(run: Run<Context>, step: Step, catchUp: CatchUp): Promise<void> {
  let round = await runRound(run, step, catchUp);
  while (round.isLacking && !run.isHalted && (round.hasProgress || !catchUp.isPartOk)) {
    catchUp.isPartOk = !round.hasProgress;
    round = await runRound(run, step, catchUp);
  }
}

async function runRound<Context>(run: Run<Context>, step: Step, catchUp: CatchUp): Promise<CatchUp> {
  catchUp.hasProgress = false;
  catchUp.isLacking = false;
  await step(run);
  return catchUp;
}
