import { describe, expect, it } from 'vitest';
import { parseAnsi, plainText } from '../../web/pages/run/ansi.ts';

const ESC = String.fromCharCode(27);
const shown = (line: string) => parseAnsi(line).map(({ text, color, bold }) => ({ text, color, bold }));
const textOf = (line: string) =>
  parseAnsi(line)
    .map((span) => span.text)
    .join('');

describe('parseAnsi', () => {
  it('leaves plain text alone, markup included', () => {
    expect(shown('<b>1 & 2</b>')).toEqual([{ text: '<b>1 & 2</b>', color: null, bold: false }]);
  });

  it('reads basic, bright and reset codes', () => {
    expect(shown(`${ESC}[31mred${ESC}[0m plain ${ESC}[1;92mgreen`)).toEqual([
      { text: 'red', color: 1, bold: false },
      { text: ' plain ', color: null, bold: false },
      { text: 'green', color: 2, bold: true },
    ]);
  });

  it.each([
    ['38;5;196', 1],
    ['38;5;46', 2],
    ['38;5;244', 7],
    ['38;5;236', 0],
    ['38;2;20;20;240', 4],
    ['38;2;250;240;10', 3],
  ])('maps %s to the nearest of the eight hues', (codes, hue) => {
    expect(parseAnsi(`${ESC}[${codes}mx`)[0]?.color).toBe(hue);
  });

  it('drops backgrounds together with their parameters', () => {
    expect(shown(`${ESC}[48;5;1;31mx`)).toEqual([{ text: 'x', color: 1, bold: false }]);
  });

  it('strips titles, links, cursor movement and control characters', () => {
    const title = `${ESC}]0;evil title${String.fromCharCode(7)}`;
    const link = `${ESC}]8;;https://example.com${ESC}\\here${ESC}]8;;${ESC}\\`;
    expect(textOf(`${title}a${ESC}[2K${ESC}[1;1Hb${link}${String.fromCharCode(1)}c`)).toBe('abherec');
  });

  it('gives the bare text of several lines', () => {
    expect(plainText(`${ESC}[31mERROR${ESC}[0m one\n  two`)).toBe('ERROR one\n  two');
  });

  it('shows what a terminal would after a carriage return', () => {
    expect(textOf('10 %\r50 %\r100 %\r')).toBe('100 %');
  });
});
