/** How services sign the webhooks that they send, with a secret that both sides know. Pure. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface SignatureCheck {
  push(chunk: Buffer): void;
  /** After the whole body. */
  isRight(): boolean;
}

const textOf = (value: string | string[] | undefined): string | null => (typeof value === 'string' ? value : null);

/**
 * GitHub, Gitea and Forgejo: `X-Hub-Signature-256: sha256=<hex>`. Gitea and Forgejo also: `X-Gitea-Signature: <hex>` and
 * `X-Forgejo-Signature`. GitLab sends the secret itself: `X-Gitlab-Token`.
 */
export function checkSignature(headers: IncomingHttpHeaders, secret: string): SignatureCheck {
  const token = textOf(headers['x-gitlab-token']);
  const hub = textOf(headers['x-hub-signature-256']);
  const hex =
    hub === null
      ? (textOf(headers['x-gitea-signature']) ?? textOf(headers['x-forgejo-signature']))
      : (/^sha256=(.+)$/.exec(hub)?.[1] ?? null);
  const hmac = createHmac('sha256', secret);
  return {
    push: (chunk) => void hmac.update(chunk),
    isRight() {
      if (hex !== null) return /^[0-9a-f]{64}$/i.test(hex) && timingSafeEqual(Buffer.from(hex, 'hex'), hmac.digest());
      return token !== null && isSame(token, secret);
    },
  };
}

/** In a time that says nothing, not even of the length. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHmac('sha256', 'compare').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
