/** Part of `npm run generate`. */
import { writeFileSync } from 'node:fs';
import { dagSpecJsonSchema } from './dag-spec-schema.ts';

writeFileSync(new URL('dag-spec.schema.json', import.meta.url), `${JSON.stringify(dagSpecJsonSchema(), null, 2)}\n`);
