// `node parse.mjs FILE…`: every complaint of GitHub's own parser, and exit 1 when there is one.
import { parser } from "./packages.mjs";
import { readFileSync } from "node:fs";

let found = 0;
for (const name of process.argv.slice(2)) {
  const parsed = parser.parseWorkflow({ name, content: readFileSync(name, "utf8") }, new parser.NoOperationTraceWriter());
  if (parsed.value) await parser.convertWorkflowTemplate(parsed.context, parsed.value);
  for (const error of parsed.context.errors.getErrors()) {
    found += 1;
    console.log(`${name}: ${error.message}`);
  }
}
process.exit(found ? 1 : 0);
