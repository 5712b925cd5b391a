'use strict';
// Tools of the host: a name, a schema, an async function. A schema is JSON Schema, or any Standard Schema, which then
// also checks and converts the input.

const { invalid } = require('./errors.js');

/** What libraries of Standard Schema call a JSON Schema. */
const TARGET = 'draft-2020-12';

function jsonSchema(name, schema, given) {
  if (given !== undefined) return given;
  if (schema === undefined) return { type: 'object' };
  const standard = schema['~standard'];
  if (standard === undefined) return schema;
  if (typeof standard.jsonSchema?.input === 'function') return standard.jsonSchema.input({ target: TARGET });
  const own = schema.toJSONSchema ?? schema.toJsonSchema;
  if (typeof own === 'function') return own.call(schema);
  throw invalid(`tool ${name}: ${standard.vendor} gives no JSON Schema of its own; pass one as jsonSchema`);
}

/** Makes a tool that agents may call. */
function tool({ name, description = '', input, jsonSchema: given, run }) {
  if (typeof run !== 'function') throw invalid(`tool ${name}: run is not a function`);
  const schema = jsonSchema(name, input, given);
  const standard = input?.['~standard'];
  return Object.freeze({ name, description, inputSchema: schema, validate: standard?.validate, run });
}

/** The input as the tool takes it, or what is wrong with it. */
async function checked(tool, input) {
  if (tool.validate === undefined) return { value: input };
  const { issues, value } = await tool.validate(input);
  if (!issues) return { value };
  const lines = issues.map(({ path = [], message }) => {
    const place = path.map((part) => String(part?.key ?? part)).join('.');
    return place ? `${place}: ${message}` : message;
  });
  return { wrong: lines.join('\n') };
}

/** What a tool gave, as text for the model. */
function text(result) {
  if (typeof result === 'string') return result;
  if (result === undefined) return '';
  const json = JSON.stringify(result);
  if (json === undefined) throw new TypeError(`a tool gives text or JSON, and no ${typeof result}`);
  return json;
}

/** Runs a tool, and gives the answer to the agent's question. Never throws: what the tool throws is its result. */
async function answered(tool, input, context, report) {
  try {
    const { value, wrong } = await checked(tool, input);
    if (wrong !== undefined) return { answer: 'result', text: wrong, isError: true };
    return { answer: 'result', text: text(await tool.run(value, context)) };
  } catch (error) {
    report(error);
    return { answer: 'result', text: String(error?.message ?? error), isError: true };
  }
}

module.exports = { tool, answered };
