/** What follows from one look of a sensor. Pure. */
import type { Json } from './protocol.ts';
import type { SensorFields } from './waiting-spec.ts';

export type PokeRules = Pick<
  SensorFields,
  'pokeInterval' | 'pokeBackoff' | 'maxWait' | 'timeout' | 'softFail' | 'pokeError'
>;

/** `note`: for people, what was seen instead. */
export type Look = { found: true; value: Json } | { found: false; note?: string } | { failed: string };

/** Seconds since the first start of this task instance, over all tries, and how many looks came before this one. */
export interface Waited {
  elapsed: number;
  pokes: number;
}

export type LookVerdict =
  | { outcome: 'success'; value: Json }
  | { outcome: 'wait'; seconds: number; message: string | null }
  | { outcome: 'failed' | 'skipped'; cause: 'wait_timeout' | 'poke_failed'; message: string; retryable: boolean };

/** `seed` names the task instance: thousands that began together do not look together for ever. */
export function afterLook(rules: PokeRules, look: Look, waited: Waited, seed: string): LookVerdict {
  if ('found' in look && look.found) return { outcome: 'success', value: look.value };
  const note = 'failed' in look ? look.failed : (look.note ?? null);
  const left = rules.timeout - waited.elapsed;
  // Also of a look that failed: the retries would never come to an end otherwise
  if (left <= 0) return timedOut(rules, note);
  if ('failed' in look && rules.pokeError !== 'ignore') {
    const isSkipped = rules.softFail || rules.pokeError === 'skip';
    return {
      outcome: isSkipped ? 'skipped' : 'failed',
      cause: 'poke_failed',
      message: look.failed,
      retryable: !isSkipped,
    };
  }
  return { outcome: 'wait', seconds: Math.min(pokeDelay(rules, waited.pokes, seed), left), message: note };
}

/** Retries would only wait again. */
export function timedOut(
  { timeout, softFail }: Pick<PokeRules, 'timeout' | 'softFail'>,
  note: string | null,
): LookVerdict {
  const seen = note === null ? '' : ` Last seen: ${note}`;
  return {
    outcome: softFail ? 'skipped' : 'failed',
    cause: 'wait_timeout',
    message: `It was not there within ${timeout} s.${seen}`,
    retryable: false,
  };
}

/** Seconds to the next look. Constant when `pokeBackoff` is 1; otherwise growing, and shorter by up to a fifth. */
export function pokeDelay(
  { pokeInterval, pokeBackoff, maxWait }: Pick<PokeRules, 'pokeInterval' | 'pokeBackoff' | 'maxWait'>,
  pokes: number,
  seed: string,
): number {
  if (pokeBackoff === 1) return pokeInterval;
  const grown = Math.min(pokeInterval * pokeBackoff ** pokes, maxWait);
  return grown * (1 - fraction(`${seed}#${pokes}`) / 5);
}

/** From 0 to 1, always the same for a text (FNV-1a). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}
