// A workflow as GitHub's parser reads it, as plain objects; what is left to evaluate is an `Expression`.
import { readFileSync } from "node:fs";
import { actionParser, expressions, parser } from "./packages.mjs";

const { data, Evaluator, Lexer, Parser } = expressions;
const CONTEXTS = ["github", "env", "vars", "inputs", "needs", "steps", "secrets", "job", "jobs", "runner", "matrix", "strategy"];
const STATUS = ["success", "failure", "always", "cancelled"];

export class Refused extends Error {}

export class Expression {
  constructor(text) {
    this.text = text;
  }
}

// Errors of the parser are told all at once; `jobs[id].if` and each step's `if` have the implied success().
export async function readWorkflow(file, name) {
  const trace = new parser.NoOperationTraceWriter();
  const parsed = parser.parseWorkflow({ name, content: readFileSync(file, "utf8") }, trace);
  const errors = () => parsed.context.errors.getErrors().map((error) => error.message);
  if (!parsed.value || errors().length) throw new Refused(errors().join("\n"));
  const template = await parser.convertWorkflowTemplate(parsed.context, parsed.value);
  if (errors().length) throw new Refused(errors().join("\n"));
  const workflow = plain(JSON.parse(JSON.stringify(parsed.value)));
  for (const job of JSON.parse(JSON.stringify(template.jobs))) {
    const raw = workflow.jobs[job.id];
    raw.needs = job.needs ?? [];
    raw.if = new Expression(job.if.expr);
    (job.steps ?? []).forEach((step, at) => Object.assign(raw.steps[at], { id: step.id, if: new Expression(step.if.expr) }));
  }
  return { ...workflow, file: name, events: template.events };
}

// A composite action of the repository itself: its inputs, outputs and steps, the latter as those of a job.
export function readAction(file) {
  const trace = new parser.NoOperationTraceWriter();
  const parsed = actionParser.parseAction({ name: file, content: readFileSync(file, "utf8") }, trace);
  const errors = parsed.context.errors.getErrors().map((error) => error.message);
  if (!parsed.value || errors.length) throw new Refused(errors.join("\n"));
  const action = plain(JSON.parse(JSON.stringify(parsed.value)));
  if (action.runs.using !== "composite") throw new Refused(`${file}: only composite actions are known`);
  action.runs.steps.forEach((step, at) => {
    if (step.run !== undefined && !step.shell) throw new Refused(`${file}: Required property is missing: shell`);
    const condition = step.if instanceof Expression ? step.if.text : step.if;
    const own = STATUS.some((name) => new RegExp(`\\b${name}\\s*\\(`).test(condition ?? ""));
    const whole = condition === undefined ? "success()" : own ? condition : `success() && (${condition})`;
    Object.assign(step, { id: step.id ?? `__${at}`, if: new Expression(whole) });
  });
  return action;
}

function plain(token) {
  if (token === null || typeof token !== "object") return token;
  if (token.type === 1) return token.seq.map(plain);
  if (token.type === 2) return Object.fromEntries(token.map.map(({ Key, Value }) => [String(plain(Key)), plain(Value)]));
  if (token.type === 3) return new Expression(token.expr);
  throw new Refused(`the runner does not know this token: ${JSON.stringify(token)}`);
}

// `contexts`: plain objects; `functions`: what success() and its like say here.
export function evaluate(value, contexts, functions = {}) {
  if (value instanceof Expression) return evaluateExpression(value.text, contexts, functions);
  if (Array.isArray(value)) return value.map((item) => evaluate(item, contexts, functions));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, evaluate(item, contexts, functions)]));
}

function evaluateExpression(text, contexts, functions) {
  const known = STATUS.map((name) => ({ name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(functions[name]()) }));
  known.push({ name: "hashFiles", minArgs: 1, maxArgs: 255, call: () => new data.StringData("0".repeat(64)) });
  const tree = new Parser(new Lexer(text).lex().tokens, CONTEXTS, known).parse();
  const table = new Map(known.map((definition) => [definition.name.toLowerCase(), definition]));
  const told = new Evaluator(tree, packed(contexts), table).evaluate();
  return JSON.parse(JSON.stringify(told, data.replacer));
}

function packed(value) {
  if (value === null || value === undefined) return new data.Null();
  if (typeof value === "boolean") return new data.BooleanData(value);
  if (typeof value === "number") return new data.NumberData(value);
  if (typeof value === "string") return new data.StringData(value);
  if (Array.isArray(value)) return new data.Array(...value.map(packed));
  return new data.Dictionary(...Object.entries(value).map(([key, item]) => ({ key, value: packed(item) })));
}

export const text = (value) => (value === null || value === undefined ? "" : String(value));
export const texts = (table) => Object.fromEntries(Object.entries(table).map(([key, value]) => [key, text(value)]));
export const truth = (value) => !["", 0, false, null].includes(value);
