/** What to do about a port that cannot be listened on. `variable`: where it is set. */
export function cannotListen(
  { code, message }: NodeJS.ErrnoException,
  { host, port, variable }: { host: string; port: number; variable: string },
): string {
  const free = variable === 'MILLRACE_PORT' ? ' (0 takes a free one)' : '';
  if (code === 'EADDRINUSE')
    return `Port ${port} of ${host} is in use. Stop what listens there, or set ${variable}${free}.`;
  if (code === 'EACCES') return `Port ${port} may not be opened by this user. Set ${variable} to one above 1023.`;
  return `Cannot listen on ${host}:${port}: ${message}. Check MILLRACE_HOST and ${variable}.`;
}
