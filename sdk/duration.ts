const SECONDS: { [unit: string]: number } = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const SIMPLE = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$/;
const ISO = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** Seconds of `90`, `'30s'`, `'5m'`, `'2h'`, `'1d'` or ISO 8601 `'PT1H30M'`; null when it is none of them. */
export function parseDuration(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : null;
  if (typeof value !== 'string') return null;
  const simple = SIMPLE.exec(value);
  if (simple) return Number(simple[1]) * (SECONDS[simple[2] ?? ''] ?? NaN);
  const iso = ISO.exec(value);
  if (!iso || value.endsWith('P') || value.endsWith('T')) return null;
  const [weeks, days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0));
  return (weeks ?? 0) * 604_800 + (days ?? 0) * 86_400 + (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0);
}

const BYTES: { [unit: string]: number } = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** Bytes of `1048576`, `'512Mi'` or `'2Gi'`; null when it is none of them. */
export function parseBytes(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? value : null;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti)$/.exec(value) : null;
  return match ? Math.round(Number(match[1]) * (BYTES[match[2] ?? ''] ?? NaN)) : null;
}
