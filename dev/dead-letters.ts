// `npm run dead-letters`: looks at messages that were parked, delivers them again, or drops them.
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { openDeadLetters } from '../service/dead-letters.ts';
import { connectBroker } from '../service/nats.ts';

const usage = `Usage: npm run dead-letters -- <command>
  list [--durable NAME]     one line for each parked message, oldest first
  show SEQ                  one whole: headers, reason, stack and payload
  replay SEQ | all          gives it to its consumer again; it is taken out when its stream has stored it
  drop SEQ                  takes it out for good
NATS_URL says which broker (default nats://localhost:4222).`;

const { positionals, values } = parseArgs({ allowPositionals: true, options: { durable: { type: 'string' } } });
const [command, which] = positionals;
const sequence = /^\d+$/.test(which ?? '') ? Number(which) : undefined;
const valid =
  command === 'list' ||
  (command === 'replay' && (which === 'all' || sequence !== undefined)) ||
  ((command === 'show' || command === 'drop') && sequence !== undefined);
if (!valid) {
  console.error(usage);
  process.exit(2);
}

const servers = process.env['NATS_URL'] ?? 'nats://localhost:4222';
const broker = connectBroker({ servers, name: 'dead-letters', log: pino({ level: 'silent' }) });
const timeout = setTimeout(() => {
  console.error(`There is no broker at ${new URL(servers.split(',')[0] ?? servers).host}: set NATS_URL.`);
  process.exit(1);
}, 5_000);
const connection = await broker.connection;
clearTimeout(timeout);
const letters = await openDeadLetters(connection);

try {
  if (command === 'list') {
    let count = 0;
    for await (const letter of letters.list()) {
      if (values.durable !== undefined && letter.durable !== values.durable) continue;
      count += 1;
      const { seq, time, durable, subject, code, reason } = letter;
      console.log([seq, time, durable, subject, code, reason.slice(0, 100)].join('  '));
    }
    if (count === 0) console.log('No dead letters.');
  } else if (command === 'show') {
    const letter = await letters.get(sequence ?? 0);
    for (const [name, value] of Object.entries(letter.headers)) console.log(`${name}: ${value}`);
    console.log(`\n${letter.payload}`);
  } else if (command === 'replay') {
    const chosen = sequence === undefined ? await Array.fromAsync(letters.list()) : [await letters.get(sequence)];
    for (const letter of chosen) {
      await letters.replay(letter);
      console.log(`replayed ${String(letter.seq)} to ${letter.durable}`);
    }
    if (chosen.length === 0) console.log('No dead letters.');
  } else {
    await letters.drop(sequence ?? 0);
    console.log(`dropped ${String(sequence)}`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await broker.close();
}
