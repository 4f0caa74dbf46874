import type { Json } from '#sdk/protocol.ts';
import type { Render } from './launch.ts';

/** Every string of a JSON value is a template. */
export function renderAll(render: Render, field: string, value: Json): Json {
  if (typeof value === 'string') return render(field, value);
  if (Array.isArray(value)) return value.map((item, index) => renderAll(render, `${field}[${index}]`, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, renderAll(render, `${field}.${key}`, item)]),
  );
}
