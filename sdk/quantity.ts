/** Quantities of Kubernetes: `500m`, `2Gi`, `1e3`. */

const UNITS: { [suffix: string]: number } = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** As a number of the base unit; null: it is no quantity. */
export function parseQuantity(text: string): number | null {
  const [, number, exponent, suffix] =
    /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([A-Za-z]{0,2}))$/.exec(text) ?? [];
  if (number === undefined) return null;
  if (exponent !== undefined) return Number(number + exponent);
  const unit = UNITS[suffix ?? ''];
  return unit === undefined ? null : Number(number) * unit;
}
