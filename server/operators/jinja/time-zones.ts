import { JinjaError } from './values.ts';

const formats = new Map<string, Intl.DateTimeFormat>();

/** Minutes that the clocks of a zone are ahead of UTC at an instant. */
export function offsetOf(zone: string, epochMs: number): number {
  if (zone === 'UTC') return 0;
  let format = formats.get(zone);
  if (!format) {
    try {
      format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    } catch (cause) {
      throw new JinjaError(`'${zone}' is not a time zone`, { cause });
    }
    formats.set(zone, format);
  }
  const name = format.formatToParts(epochMs).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT';
  const [, sign, hours = '0', minutes = '0'] = /GMT([+-])(\d+):?(\d+)?/.exec(name) ?? [];
  return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

/** The instant at which the clocks of a zone show this; of two the first. */
export function instantOf(zone: string, wallMs: number): number {
  const guess = wallMs - offsetOf(zone, wallMs) * 60_000;
  return wallMs - offsetOf(zone, guess) * 60_000;
}
