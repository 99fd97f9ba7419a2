// The payment database's migrations, oldest first. Applied ones are never changed.
import { Migration20261122000000 } from './20261122000000-initial.ts';

export const migrations = [{ name: '20261122000000-initial', class: Migration20261122000000 }];
