/** The other end of side.ts: answers calls, and ends when the benchmark does. */

export type Methods = { [method: string]: (argument: never) => unknown };

interface Call {
  id: number;
  method: string;
  argument: unknown;
}

export function serveSide(methods: Methods): void {
  const all: Methods = { ready: () => true, ...methods };
  process.on('message', ({ id, method, argument }: Call) => {
    const answer = async () => {
      const handler = all[method];
      if (!handler) throw new Error(`there is no method "${method}"`);
      return handler(argument as never);
    };
    answer().then(
      (result) => process.send?.({ id, result }),
      (error: unknown) =>
        process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once('disconnect', () => process.exit(0));
}

/** Microseconds of the machine's monotonic clock: the same for all processes. */
export const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
