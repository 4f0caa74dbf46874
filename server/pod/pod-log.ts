/** Lines of the processes in a Pod, as JSON on stderr. The logger of the other roles would take longer to load than they need to start. */
export interface PodLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export function createPodLog(
  role: string,
  write: (line: string) => unknown = (line) => process.stderr.write(line),
): PodLog {
  const say = (level: string, fields: object, msg: string) => {
    const shown = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, readable(value)]));
    write(`${JSON.stringify({ level, time: new Date().toISOString(), role, ...shown, msg })}\n`);
  };
  return {
    info: (fields, message) => say('info', fields, message),
    warn: (fields, message) => say('warn', fields, message),
  };
}

/** An error has no fields of its own to print. */
function readable(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return value.cause instanceof Error ? `${value.message}: ${value.cause.message}` : value.message;
}
