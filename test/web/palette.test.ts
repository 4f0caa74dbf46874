import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const styles = join(import.meta.dirname, '../../web/styles');
const css = ['tokens.css', 'log.css'].map((file) => readFileSync(join(styles, file), 'utf8')).join('\n');

/** `--name: light-dark(#light, #dark)`, or one colour for both. */
function readTokens(theme: 'light' | 'dark'): Map<string, string> {
  const tokens = new Map<string, string>();
  for (const [, name = '', light = '', dark] of css.matchAll(/--([\w-]+): (?:light-dark\()?(#\w{6})(?:, (#\w{6})\))?/g))
    tokens.set(name, theme === 'dark' ? (dark ?? light) : light);
  return tokens;
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const GROUNDS = ['canvas', 'surface', 'raised', 'sunken', 'hover', 'selected'];
const WASHES = ['failed-wash', 'retry-wash'];
const STATES = ['success', 'failed', 'running', 'retry', 'upstream', 'neutral'];
const pairs = (colours: string[], grounds: string[]) =>
  colours.flatMap((colour) => grounds.map((ground): [string, string] => [colour, ground]));

describe.each(['light', 'dark'] as const)('the %s palette', (theme) => {
  const tokens = readTokens(theme);
  const ratio = (one: string, other: string) => contrast(tokens.get(one) ?? 'missing', tokens.get(other) ?? 'missing');

  it.each(pairs(['text', 'muted'], [...GROUNDS, ...WASHES]))('%s can be read on %s', (text, ground) => {
    expect(ratio(text, ground)).toBeGreaterThanOrEqual(4.5);
  });
  it.each(pairs(['faint'], ['canvas', 'surface', 'raised', 'sunken', 'hover']))(
    '%s can be read on %s',
    (text, ground) => {
      expect(ratio(text, ground)).toBeGreaterThanOrEqual(4.5);
    },
  );
  it.each(pairs(STATES, ['canvas', 'surface']))('the state %s stands out on %s', (state, ground) => {
    expect(ratio(state, ground)).toBeGreaterThanOrEqual(3);
  });
  it.each(STATES)('the sign on the state %s can be seen', (state) => {
    expect(ratio(`on-${state}`, state)).toBeGreaterThanOrEqual(4);
  });
  it.each(pairs(['focus'], ['canvas', 'surface', 'raised']))('%s stands out on %s', (focus, ground) => {
    expect(ratio(focus, ground)).toBeGreaterThanOrEqual(3);
  });
  it.each(['1', '2', '3', '4', '5', '6', '7'])('log colour %s can be read', (hue) => {
    expect(ratio(`sgr-${hue}`, 'canvas')).toBeGreaterThanOrEqual(4.5);
  });
});
