// A small GitHub: reads the workflows of a repository at a commit, asks each whether the event starts it, and runs its
// jobs. `node runner.mjs PLAN.json` prints what happened as JSON; exit 2 when a workflow is refused.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inputsFor, triggers } from "./events.mjs";
import { runJob } from "./job.mjs";
import { evaluate, readWorkflow, Refused, texts, truth } from "./workflow.mjs";

const WORKFLOWS = ".github/workflows";

async function main(plan) {
  const { event } = plan;
  for (const name of ["work", "logs", "store"]) mkdirSync(plan[name], { recursive: true });
  mkdirSync(join(plan.work, "home"), { recursive: true });
  const source = mkdtempSync(join(plan.work, "source-"));
  const git = (...words) => execFileSync("git", ["-C", plan.repository, ...words], { encoding: "utf8", maxBuffer: 1e8 });
  event.changed = event.before ? git("diff", "--name-only", event.before, event.sha).split("\n").filter(Boolean) : [];
  for (const file of git("ls-tree", "--name-only", event.sha, `${WORKFLOWS}/`).split("\n").filter(Boolean)) {
    mkdirSync(join(source, WORKFLOWS), { recursive: true });
    writeFileSync(join(source, file), git("show", `${event.sha}:${file}`));
  }
  plan.source = source;
  const told = [];
  const folder = join(source, WORKFLOWS);
  for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
    const workflow = await readWorkflow(join(folder, name), name);
    const starts = triggers(workflow, event) && (!event.workflow || event.workflow === name);
    told.push({ file: name, starts, jobs: starts ? await runWorkflow(workflow, plan) : {} });
  }
  console.log(JSON.stringify(told));
}

async function runWorkflow(workflow, plan) {
  const { event } = plan;
  plan.number = (plan.number ?? Date.now()) + 1;
  const inputs = event.name === "workflow_dispatch" ? inputsFor(workflow.events.workflow_dispatch?.inputs, event.inputs ?? {}, workflow.file) : {};
  const payload = { ...event.payload, inputs, schedule: event.schedule, ref: event.ref, before: event.before, after: event.sha };
  const path = join(plan.work, `event-${plan.number}.json`);
  writeFileSync(path, JSON.stringify(payload));
  const github = {
    event: payload,
    event_name: event.name,
    event_path: path,
    ref: event.ref,
    ref_name: event.ref.replace(/^refs\/(heads|tags|pull)\//, ""),
    sha: event.sha,
    base_ref: event.base ?? "",
    head_ref: event.head ?? "",
    repository: "team/models",
    repository_owner: "team",
    actor: "ada",
    triggering_actor: "ada",
    run_id: String(plan.number),
    run_number: "1",
    run_attempt: "1",
    workflow: workflow.name ?? workflow.file,
    server_url: "http://127.0.0.1:9",
    api_url: "http://127.0.0.1:9",
    token: "token",
  };
  const contexts = { github, inputs, vars: plan.variables ?? {}, secrets: { GITHUB_TOKEN: "token", ...plan.secrets } };
  return (await runJobs(workflow, plan, contexts, "")).jobs;
}

// Jobs one after the other, each when all it needs has ended; outputs are those of a called workflow.
async function runJobs(workflow, plan, contexts, prefix) {
  const done = {};
  const told = {};
  evaluate(workflow.concurrency ?? null, contexts);
  const waiting = Object.keys(workflow.jobs);
  while (waiting.length) {
    const at = waiting.findIndex((id) => workflow.jobs[id].needs.every((need) => need in done));
    if (at < 0) throw new Refused(`jobs wait for each other: ${waiting}`);
    const [id] = waiting.splice(at, 1);
    const job = workflow.jobs[id];
    const needs = Object.fromEntries(job.needs.map((need) => [need, done[need]]));
    const before = ancestors(workflow, id).map((name) => done[name].result);
    const functions = {
      success: () => before.every((result) => result === "success"),
      failure: () => before.includes("failure"),
      always: () => true,
      cancelled: () => false,
    };
    const here = { ...contexts, needs, matrix: {}, strategy: {} };
    if (job.strategy) throw new Refused(`${id}: the runner knows no strategy`);
    if (job.container || job.services) throw new Refused(`${id}: the runner knows no containers`);
    evaluate(job.concurrency ?? null, here);
    let ran = { result: "skipped", outputs: {}, steps: [] };
    if (truth(evaluate(job.if, here, functions))) {
      ran = job.uses ? await call(job, id, plan, here, prefix, told) : runJob(workflow, prefix + id, job, plan, here);
    }
    done[id] = { result: ran.result, outputs: ran.outputs };
    told[prefix + id] = ran;
  }
  const outputs = Object.entries(workflow.on?.workflow_call?.outputs ?? {}).map(([name, output]) => [name, output.value]);
  const results = Object.values(done).map(({ result }) => result);
  return {
    jobs: told,
    result: results.includes("failure") ? "failure" : results.every((one) => one === "skipped") ? "skipped" : "success",
    outputs: texts(evaluate(Object.fromEntries(outputs), { ...contexts, jobs: done })),
  };
}

async function call(job, id, plan, here, prefix, told) {
  if (!job.uses.startsWith("./")) throw new Refused(`${id}: the runner calls only workflows of the same repository`);
  const called = await readWorkflow(join(plan.source, job.uses), job.uses);
  const given = evaluate(job.with ?? {}, here);
  const secrets = job.secrets === "inherit" ? here.secrets : { GITHUB_TOKEN: "token", ...evaluate(job.secrets ?? {}, here) };
  const inputs = inputsFor(called.events.workflow_call?.inputs, given, job.uses);
  for (const [name, secret] of Object.entries(called.events.workflow_call?.secrets ?? {})) {
    if (secret?.required && !secrets[name]) throw new Refused(`${id}: secret ${name} is required`);
  }
  const permitted = { ...called, permissions: called.permissions ?? job.permissions };
  const ran = await runJobs(permitted, plan, { ...here, inputs, secrets }, `${prefix}${id}/`);
  Object.assign(told, ran.jobs);
  return { result: ran.result, outputs: ran.outputs, steps: [] };
}

function ancestors(workflow, id) {
  return workflow.jobs[id].needs.flatMap((need) => [need, ...ancestors(workflow, need)]);
}

try {
  await main(JSON.parse(readFileSync(process.argv[2], "utf8")));
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.error(`refused: ${error.message}`);
  process.exit(2);
}
