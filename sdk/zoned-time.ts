/** Wall-clock times of a zone as instants. */
import { CronDate } from 'croner';
import { didYouMean } from './near-match.ts';

const FORM = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** UTC ISO 8601 of a date or a time; without an offset it is read in `timezone`. Null when it is none. */
export function readInstant(text: string, timezone: string): string | null {
  const form = FORM.exec(text);
  if (!form) return null;
  const written = text.length === 10 ? `${text}T00:00:00` : text.replace(' ', 'T');
  try {
    // Date.parse would turn 30 February into 1 March.
    if (new Date(`${text.slice(0, 10)}T00:00:00Z`).toISOString().slice(0, 10) !== text.slice(0, 10)) return null;
    const instant = form[1] ? new Date(written) : new CronDate(withSeconds(written), timezone).getDate(false);
    return instant.toISOString();
  } catch {
    return null;
  }
}

const withSeconds = (written: string) => (written.length === 16 ? `${written}:00` : written.slice(0, 19));

/** A sentence on what is wrong with the time zone, or null. */
export function timezoneProblem(name: string): string | null {
  const advice = `Give an IANA name such as 'Europe/Berlin' or 'UTC'.`;
  // Fixed offsets have no daylight saving: people who write them are surprised in spring.
  if (/^[+-]/.test(name)) return `'${name}' is an offset. ${advice}`;
  // The default, and the first use of Intl costs 10 ms.
  if (name === 'UTC') return null;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return null;
  } catch {
    return `'${name}' is not a time zone.${didYouMean(name, Intl.supportedValuesOf('timeZone'))} ${advice}`;
  }
}
