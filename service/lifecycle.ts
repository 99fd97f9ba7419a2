// The life of a process: start, serve, drain on a signal, close in reverse order, and never linger.
import { ConfigurationError } from './env.ts';
import type { Logger } from './log.ts';

/**
 * Runs a process until SIGTERM or SIGINT, then closes what `start` opened, newest first, and exits 0.
 * A second signal, or a shutdown over `shutdownTimeoutMs`, exits 1 at once. An error at start closes what was opened so far and
 * exits 1; an unforeseen exception or rejection later does the same, as the state behind it is unknown.
 * @param start opens things; each one registers how to close it with `resources.defer(close)`.
 */
export async function runProcess(
  options: { readonly log: Logger; readonly shutdownTimeoutMs: number },
  start: (resources: AsyncDisposableStack) => Promise<void>,
): Promise<void> {
  const { log, shutdownTimeoutMs } = options;
  const resources = new AsyncDisposableStack();
  let stopping = false;

  const stop = (why: string, exitCode: number): void => {
    if (stopping) {
      log.warn({ why }, 'asked to stop again: exiting at once');
      process.exit(1);
    }
    stopping = true;
    log.info({ why }, 'stopping');
    setTimeout(() => {
      log.error({ shutdownTimeoutMs }, 'shutdown took too long: exiting');
      process.exit(1);
    }, shutdownTimeoutMs).unref();
    resources.disposeAsync().then(
      () => {
        log.info('stopped');
        process.exit(exitCode);
      },
      (error: unknown) => {
        log.error({ error }, 'closing failed');
        process.exit(1);
      },
    );
  };

  process.on('SIGTERM', () => stop('SIGTERM', 0));
  process.on('SIGINT', () => stop('SIGINT', 0));
  process.on('uncaughtException', (error) => {
    log.fatal({ error }, 'uncaught exception');
    stop('uncaughtException', 1);
  });
  process.on('unhandledRejection', (error) => {
    log.fatal({ error }, 'unhandled rejection');
    stop('unhandledRejection', 1);
  });

  try {
    await start(resources);
  } catch (error) {
    log.fatal({ error }, 'could not start');
    stop('could not start', 1);
  }
}

/** Reads the configuration, or says on standard error what is wrong with it and exits 2. */
export function configureOrExit<Config>(read: () => Config): Config {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(error.message);
    process.exit(2);
  }
}
