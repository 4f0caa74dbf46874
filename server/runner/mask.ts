/** Hides secrets in text: in logs, messages and rendered fields, never in what a task itself gets. */
import type { Json } from '#sdk/protocol.ts';

export interface Mask {
  (text: string): string;
  /** Also the beginning of a secret at the very end: the text was cut there. */
  cut(text: string): string;
  /** At most so many characters of a text, and no secret's beginning at the cut. */
  shorten(text: string, length: number): string;
}

export const HIDDEN = '***';
/** Shorter ones are words like any other: hiding them would make every log unreadable, and tell the secret by the gaps. */
export const SHORTEST_SECRET = 5;

const withShorten = (mask: (text: string) => string, cut: (text: string) => string): Mask =>
  Object.assign(mask, {
    cut,
    shorten: (text: string, length: number) => (text.length > length ? `${cut(text.slice(0, length))}…` : mask(text)),
  });

export const NO_MASK = withShorten(
  (text) => text,
  (text) => text,
);

export function createMask(secrets: readonly string[]): Mask {
  // Longest first: one secret may be the beginning of another
  const forms = [...new Set(secrets.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  if (forms.length === 0) return NO_MASK;
  const pattern = new RegExp(forms.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
  const mask = (text: string) => text.replace(pattern, HIDDEN);
  const cut = (text: string) => {
    const whole = mask(text);
    for (const form of forms)
      for (let length = Math.min(form.length - 1, whole.length); length > 0; length -= 1)
        if (whole.endsWith(form.slice(0, length))) return whole.slice(0, -length) + HIDDEN;
    return whole;
  };
  return withShorten(mask, cut);
}

/** As it is, and as it looks inside JSON, a URL or a header; of several lines also each of them. */
function formsOf(secret: string): string[] {
  const lines = secret.includes('\n') ? secret.split(/\r?\n/) : [];
  const forms = [secret, ...lines].flatMap((text) => [
    text.trim(),
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text),
    Buffer.from(text).toString('base64'),
  ]);
  return forms.filter((form) => form.length >= SHORTEST_SECRET);
}

/** Every text inside a JSON value, keys too. */
export function maskJson(mask: Mask, value: Json): Json {
  if (typeof value === 'string') return mask(value);
  if (Array.isArray(value)) return value.map((item) => maskJson(mask, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [mask(key), maskJson(mask, item)]));
}
