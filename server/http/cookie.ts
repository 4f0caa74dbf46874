/** The session cookie. The `__Host-` prefix makes browsers refuse it without TLS or from a sibling domain. */
export interface SessionCookie {
  name: string;
  set(value: string, seconds: number): string;
  clear(): string;
}

export function createSessionCookie(isSecure: boolean): SessionCookie {
  const name = isSecure ? '__Host-millrace_session' : 'millrace_session';
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  return {
    name,
    set: (value, seconds) => `${name}=${value}; ${attributes}; Max-Age=${seconds}`,
    clear: () => `${name}=; ${attributes}; Max-Age=0`,
  };
}

/** Undefined: the header does not hold it. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const equals = part.indexOf('=');
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim() || undefined;
  }
  return undefined;
}
