// Ends many connections without sending all of their clients elsewhere in the same instant.
import { setTimeout as pause } from 'node:timers/promises';

const waves = 20;
/** So few are closed at once whatever the time allows. */
const smallestWave = 50;

/** Calls `close` for each item, in up to twenty waves spread over `withinMs`. Few items are closed at once. */
export async function closeInWaves<Item>(
  items: readonly Item[],
  withinMs: number,
  close: (item: Item) => void,
): Promise<void> {
  const size = Math.max(smallestWave, Math.ceil(items.length / waves));
  for (let start = 0; start < items.length; start += size) {
    if (start > 0) await pause(withinMs / waves);
    for (const item of items.slice(start, start + size)) close(item);
  }
}
