// Structured logging: JSON lines on standard output, each with the process, the trace and the order they belong to.
import { AsyncLocalStorage } from 'node:async_hooks';
import { pino } from 'pino';
import type { Logger, LoggerOptions } from 'pino';
import { createLogOutput } from './log-output.ts';
import { currentTraceparent } from './telemetry.ts';

export type { Logger } from 'pino';

const fields = new AsyncLocalStorage<Readonly<Record<string, unknown>>>();

/** Runs `work` with further fields (`orderId`, say) on every line that it logs, across awaits. */
export function withLogFields<T>(more: Readonly<Record<string, unknown>>, work: () => T): T {
  return fields.run({ ...fields.getStore(), ...more }, work);
}

/** The logger of a process. Tokens and secrets never reach a line: what may hold them is redacted by name. */
export function createLog(service: string, level: string): Logger {
  const base = { service, pid: process.pid };
  const output = createLogOutput(
    (lines) =>
      `${JSON.stringify({ level: 'warn', time: new Date(), ...base, lines, msg: 'lines of the log are missing: nobody read them' })}\n`,
  );
  const options: LoggerOptions = {
    level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: ['authorization', 'headers.authorization', 'paymentToken', '*.paymentToken', 'password'],
    serializers: { error: pino.stdSerializers.errWithCause, err: pino.stdSerializers.errWithCause },
    mixin: () => {
      const traceId = currentTraceparent()?.split('-')[1];
      return traceId === undefined ? { ...fields.getStore() } : { traceId, ...fields.getStore() };
    },
  };
  return pino(options, output);
}
