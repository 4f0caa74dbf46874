/** A stretch of a log line with one look; `color` is one of the eight basic hues. */
export interface Span {
  text: string;
  color: number | null;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
}

type Look = Omit<Span, 'text'>;
const PLAIN: Look = { color: null, bold: false, dim: false, italic: false, underline: false };

const ESC = String.fromCharCode(27);
const BEL = String.fromCharCode(7);
// SGR is kept; other CSI sequences, OSC (titles, links) and single-character escapes are dropped.
const SEQUENCE = new RegExp(
  `${ESC}(?:\\[([0-9;:]*)m|\\[[0-9;:?<=>]*[ -/]*[@-~]|\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)|[@-Z\\\\^_])`,
  'g',
);
const CONTROLS = new RegExp(
  `[${String.fromCharCode(0)}-${String.fromCharCode(8)}${String.fromCharCode(11)}-${String.fromCharCode(31)}]`,
  'g',
);

const hueOfRgb = (r: number, g: number, b: number): number => {
  const middle = (Math.max(r, g, b) + Math.min(r, g, b)) / 2;
  if (Math.max(r, g, b) - Math.min(r, g, b) < 40) return middle < 96 ? 0 : 7;
  return (r > middle ? 1 : 0) + (g > middle ? 2 : 0) + (b > middle ? 4 : 0);
};

function hueOf256(n: number): number {
  if (n < 16) return n % 8;
  if (n >= 232) return n < 244 ? 0 : 7;
  const [r, g, b] = [Math.floor((n - 16) / 36), Math.floor((n - 16) / 6) % 6, (n - 16) % 6];
  return hueOfRgb(r * 51, g * 51, b * 51);
}

/** A colour given as `38;5;n` or `38;2;r;g;b`, and how many codes it took. */
function extendedColor(codes: number[], at: number): { hue: number | null; used: number } {
  if (codes[at + 1] === 5) return { hue: hueOf256(codes[at + 2] ?? 7), used: 2 };
  if (codes[at + 1] === 2)
    return { hue: hueOfRgb(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0), used: 4 };
  return { hue: null, used: 0 };
}

function applyCode(look: Look, code: number): Look {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...look, bold: true };
  if (code === 2) return { ...look, dim: true };
  if (code === 3) return { ...look, italic: true };
  if (code === 4) return { ...look, underline: true };
  if (code === 22) return { ...look, bold: false, dim: false };
  if (code === 23) return { ...look, italic: false };
  if (code === 24) return { ...look, underline: false };
  if (code === 39) return { ...look, color: null };
  if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) return { ...look, color: code % 10 };
  return look;
}

function applySgr(look: Look, parameters: string): Look {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = look;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    if (code !== 38 && code !== 48) {
      next = applyCode(next, code);
      continue;
    }
    const { hue, used } = extendedColor(codes, at);
    // Backgrounds are dropped: on a theme's ground they make text unreadable.
    if (code === 38) next = { ...next, color: hue };
    at += used;
  }
  return next;
}

/** Splits a line into looks. What a carriage return overwrote is dropped, as a terminal would show it. */
export function parseAnsi(line: string): Span[] {
  const shown = line.replace(/\r+$/, '');
  const text = shown.slice(shown.lastIndexOf('\r') + 1);
  const spans: Span[] = [];
  let look = PLAIN;
  let from = 0;
  const add = (raw: string) => {
    const clean = raw.replace(CONTROLS, '');
    if (clean) spans.push({ text: clean, ...look });
  };
  for (const match of text.matchAll(SEQUENCE)) {
    add(text.slice(from, match.index));
    if (match[1] !== undefined) look = applySgr(look, match[1]);
    from = match.index + match[0].length;
  }
  add(text.slice(from));
  return spans;
}

/** What a reader sees of a text, without its looks. */
export const plainText = (text: string): string =>
  text
    .split('\n')
    .map((line) => parseAnsi(line).reduce((all, span) => all + span.text, ''))
    .join('\n');
