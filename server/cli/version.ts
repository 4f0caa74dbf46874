import { readFileSync } from 'node:fs';
import { packageFile } from '../entry-points.ts';

export function version(): string {
  const { version: text } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string };
  return text;
}
