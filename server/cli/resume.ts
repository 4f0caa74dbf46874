import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from './command-error.ts';
import { printNote } from './output.ts';

const PATIENCE_MS = 60_000;

/**
 * Reads a subscription to its end over lost connections: `open` continues where the caller stands, `take` says whether that was all.
 * Gives up when nothing has come for a minute of trying.
 */
export async function readResuming<T>(
  open: () => AsyncIterable<T>,
  take: (item: T) => boolean | Promise<boolean>,
): Promise<void> {
  let failingSince: number | undefined;
  for (let attempt = 0; ; attempt++) {
    try {
      for await (const item of open()) {
        failingSince = undefined;
        attempt = 0;
        if (await take(item)) return;
      }
      return;
    } catch (error) {
      // What the service says is final; a broken connection is not.
      if (error instanceof CommandError) throw error;
      failingSince ??= performance.now();
      if (performance.now() - failingSince > PATIENCE_MS)
        throw new CommandError('The connection to the service is lost. The run goes on without this command.', {
          cause: error,
          exitCode: 3,
        });
      if (attempt === 0) printNote('Connection lost, trying again …');
      await sleep(Math.min(2_000, 100 * 2 ** attempt));
    }
  }
}
