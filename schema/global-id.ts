/** Global ids are base64 of `<type>:<id>`. Arguments take them and, for hands and scripts, the bare id too. */
import { decodeGlobalID, encodeGlobalID } from '@pothos/plugin-relay';
import { parseInteger } from './connection.ts';
import { parseTaskKey } from './task-key.ts';
import type { TaskKey } from '#db/queries/task-instances.ts';

export const globalId = (type: string, id: string | number): string => encodeGlobalID(type, String(id));

function bareId(type: string, id: string): string {
  // A bare id has digits and dots only, which as base64 never decodes to a name and a colon
  if (/^[\d.-]+$/.test(id)) return id;
  const decoded = Buffer.from(id, 'base64').toString();
  if (!decoded.startsWith(`${type}:`)) return '';
  return decodeGlobalID(id).id;
}

/** Undefined: not the id of such a thing. */
export const parseNumericId = (type: string, id: string): number | undefined => parseInteger(bareId(type, id));

/** Null: not the id of a task instance. */
export const parseTaskInstanceId = (id: string): TaskKey | null => parseTaskKey(bareId('TaskInstance', id));
