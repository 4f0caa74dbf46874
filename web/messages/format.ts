import { timeZone } from '../state/time-zone.svelte.ts';
import { language } from './table.svelte.ts';

const cache = new Map<string, Intl.DateTimeFormat>();

function formatter(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const zone = timeZone.name;
  const key = `${language.current} ${zone} ${name}`;
  const locale = language.current === 'en' ? 'en-GB' : language.current;
  const made = cache.get(key) ?? new Intl.DateTimeFormat(locale, { timeZone: zone, ...options });
  cache.set(key, made);
  return made;
}

/** 22 Nov, 06:00:12; with the year when it is not this one. */
export function formatDateTime(at: string | number | Date): string {
  const date = new Date(at);
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : 'numeric';
  const options = {
    day: 'numeric',
    month: 'short',
    year,
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  } as const;
  return formatter(`dateTime ${year}`, options).format(date);
}

/** Everything about a moment, for a tooltip: the time with its zone, and UTC. */
export function formatExact(at: string | number | Date): string {
  const date = new Date(at);
  const local = formatter('exact', { dateStyle: 'full', timeStyle: 'long' }).format(date);
  return `${local}\n${date.toISOString()}`;
}

/** 06:21:58 */
export function formatTime(at: string | number | Date): string {
  return formatter('time', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(new Date(at));
}

/** 06:21:58.120 */
export function formatPreciseTime(at: string): string {
  const options = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 } as const;
  return formatter('precise', options).format(new Date(at));
}

/** 0.84 s, 12.3 s, 4 m 05 s, 2 h 07 m, 3 d 4 h */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  // Not 60.0 s: what rounds up to a minute is shown as one.
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const pad = (n: number) => String(Math.floor(n)).padStart(2, '0');
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${pad(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${pad((whole % 3600) / 60)} m`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** < 1 s, 12 s, 4 m 05 s: of times that are known to the second. */
export function formatSeconds(ms: number): string {
  if (ms < 1000) return '< 1 s';
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000);
}

const STEPS: [seconds: number, unit: Intl.RelativeTimeFormatUnit][] = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

/** 4 min ago, in 5 hr; `now` comes from the clock so that it ticks. */
export function formatRelative(at: string | number | Date, now: number): string {
  const seconds = Math.round((new Date(at).getTime() - now) / 1000);
  const format = new Intl.RelativeTimeFormat(language.current, { style: 'short', numeric: 'auto' });
  for (const [size, unit] of STEPS) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(0, 'second');
}
