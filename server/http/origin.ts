/** Where a browser's request comes from. SameSite alone does not hold against sibling subdomains. */
import type { IncomingHttpHeaders } from 'node:http';

export interface OriginCheck {
  /** Undefined: the request names no origin, so it is no browser's, or a plain navigation. */
  isOwn(headers: IncomingHttpHeaders): boolean | undefined;
}

export function createOriginCheck(publicUrl: string | null): OriginCheck {
  const own = publicUrl === null ? null : new URL(publicUrl).origin;
  return {
    isOwn({ origin, host, 'sec-fetch-site': site }) {
      if (origin === undefined) return site === undefined ? undefined : site === 'same-origin' || site === 'none';
      if (origin === own) return true;
      // A browser tells the host truly; what it means by it is the same place only if the origin names it too
      return host !== undefined && hostOf(origin) === host.toLowerCase();
    },
  };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
