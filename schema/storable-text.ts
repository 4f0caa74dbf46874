import { z } from 'zod';
import { findUnstorable } from '#sdk/storable.ts';

/** A text that the database can keep, of at most so many characters. */
export const storableText = (most: number) =>
  z
    .string()
    .max(most)
    .superRefine((text, ctx) => {
      const found = findUnstorable(text);
      if (found) ctx.addIssue({ code: 'custom', message: found.message });
    });
