/** The params of a DAG as its author writes them. */
import type { Json } from './protocol.ts';

/** A params schema: zod 4, or any library that speaks Standard Schema with JSON Schema. */
export interface ParamsSchema<Output = unknown> {
  readonly '~standard': {
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    readonly validate: (value: unknown) => ParamsResult | Promise<ParamsResult>;
    readonly jsonSchema: { readonly input: (options: { target: 'draft-2020-12' }) => Record<string, unknown> };
  };
}
export type ParamsResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] };
export type ParamsOf<Schema> =
  Schema extends ParamsSchema<infer Output>
    ? unknown extends Output
      ? { readonly [key: string]: Json }
      : Output
    : never;
