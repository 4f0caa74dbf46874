/** Writes web/graphql/generated from schema/schema.graphql; a part of `npm run generate`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatedFiles } from './generated-files.ts';

const folder = join(import.meta.dirname, 'generated');
const sdl = await readFile(join(import.meta.dirname, '../../schema/schema.graphql'), 'utf8');
await mkdir(folder, { recursive: true });
for (const [name, text] of await generatedFiles(sdl)) await writeFile(join(folder, name), text);
