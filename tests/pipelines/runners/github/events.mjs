// Does this event start this workflow? Filters of branches and paths as GitHub documents them.
import { Refused } from "./workflow.mjs";

// `event`: {name, ref, changed: [path], inputs, schedule}
export function triggers(workflow, event) {
  const filter = workflow.events[event.name];
  if (filter === undefined) return false;
  if (event.name === "schedule") return filter.some(({ cron }) => cron === event.schedule);
  const branch = event.base ?? event.ref.replace("refs/heads/", "");
  const all = filter ?? {};
  for (const name of Object.keys(all)) {
    if (!["branches", "paths", "types", "inputs", "outputs", "secrets"].includes(name)) {
      throw new Refused(`${workflow.file}: the runner does not know the filter ${event.name}.${name}`);
    }
  }
  if (all.types && !all.types.includes(event.action)) return false;
  if (all.branches && !matches(all.branches, branch)) return false;
  return !all.paths || event.changed.some((path) => matches(all.paths, path));
}

// The last pattern that fits decides; one that begins with `!` takes a path out again.
function matches(patterns, path) {
  let found = false;
  for (const pattern of patterns) {
    if (pattern.startsWith("!")) found = found && !glob(pattern.slice(1)).test(path);
    else found = found || glob(pattern).test(path);
  }
  return found;
}

export function glob(pattern) {
  const source = pattern.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|\\]/g, (mark) => {
    if (mark === "**/") return "(?:.*/)?";
    if (mark === "**") return ".*";
    if (mark === "*") return "[^/]*";
    return mark === "?" ? "[^/]" : `\\${mark}`;
  });
  return new RegExp(`^${source}$`);
}

// What workflow_dispatch and workflow_call get, with defaults; an input that is not declared is an error.
export function inputsFor(declared, given, where) {
  const inputs = {};
  for (const name of Object.keys(given)) {
    if (!(name in (declared ?? {}))) throw new Refused(`${where}: there is no input ${name}`);
  }
  for (const [name, input] of Object.entries(declared ?? {})) {
    if (name in given) inputs[name] = given[name];
    else if (input?.required && input.default === undefined) throw new Refused(`${where}: input ${name} is required`);
    else inputs[name] = input?.default ?? (input?.type === "boolean" ? false : "");
    if (input?.options && !input.options.includes(inputs[name])) throw new Refused(`${where}: ${name}=${inputs[name]}`);
  }
  return inputs;
}
