// Takes on only as many requests as can be done, so that under too much load most are answered as fast as ever and the others are told
// at once to come again. Two signs of too much: requests under way (memory, and subgraphs that hang), and an event loop that stays
// late (CPU).

/** Why a request is not taken on. */
export type Overload = 'under-way' | 'loop-delay';

export interface AdmissionLimits {
  /** Requests under way, at most. */
  readonly maxUnderWay: number;
  /** Milliseconds by which the event loop may be late for some time. */
  readonly maxLoopDelayMs: number;
  /** Told of each request that is not taken on. */
  readonly onShed?: (overload: Overload) => void;
}

export interface Admission {
  /** Takes a request on, or says why not. One that was taken on has to `leave`. */
  enter(): Overload | undefined;
  leave(): void;
  underWay(): number;
  /** Notes how late the event loop is now; what `watchLoop` does all the time. */
  sample(delayMs: number): void;
}

/** So many samples in a row have to be late: a single long step, such as a new supergraph, is no overload. */
const lateSamples = 4;
const samplePeriodMs = 50;

export function createAdmission({ maxUnderWay, maxLoopDelayMs, onShed }: AdmissionLimits): Admission {
  let underWay = 0;
  let late = 0;
  const overload = (): Overload | undefined =>
    underWay >= maxUnderWay ? 'under-way' : late >= lateSamples ? 'loop-delay' : undefined;
  return {
    enter() {
      const reason = overload();
      if (reason === undefined) underWay += 1;
      else onShed?.(reason);
      return reason;
    },
    leave() {
      underWay -= 1;
    },
    underWay: () => underWay,
    sample(delayMs) {
      late = delayMs > maxLoopDelayMs ? late + 1 : 0;
    },
  };
}

/** Samples the event loop of this process; returns how to stop. */
export function watchLoop(admission: Pick<Admission, 'sample'>): () => void {
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    admission.sample(now - last - samplePeriodMs);
    last = now;
  }, samplePeriodMs);
  timer.unref();
  return () => clearInterval(timer);
}
