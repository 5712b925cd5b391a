import type { RequestContext } from '../index.js';

/** A JSON Schema of an object. */
export type JsonSchema = { [keyword: string]: unknown };

/** A schema of any library that follows the Standard Schema: zod, valibot, arktype, … */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown, ...rest: any[]) => unknown;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a tool gets: what the schema says, or anything. */
export type ToolInput<S> = S extends StandardSchema<any, infer Output> ? Output : any;

/** A tool of the host. */
export interface ToolOptions<S extends StandardSchema | JsonSchema = any> {
  /** Letters, digits, `_` and `-`, at most 64. */
  name: string;
  /** What it does, for the model. */
  description?: string;
  /** The schema of its input. Default: any object. */
  input?: S;
  /** The same as JSON Schema, for libraries that do not give it by themselves. */
  jsonSchema?: JsonSchema;
  /** Does it. What it gives is told to the model: text as it is, anything else as JSON. What it throws is an error that the model sees. */
  run(input: ToolInput<S>, context: RequestContext): unknown;
}

/** A tool that was made by `tool`. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  readonly run: (input: any, context: RequestContext) => unknown;
}
