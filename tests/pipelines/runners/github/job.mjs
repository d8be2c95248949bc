// One job: its steps in order, each `run` in a real bash; then whatever it left running is ended, as GitHub's runner does.
import { spawnSync } from "node:child_process";
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { act } from "./actions.mjs";
import { inputsFor } from "./events.mjs";
import { evaluate, readAction, Refused, texts, truth } from "./workflow.mjs";

const SHELLS = {
  "": (file) => ["bash", "-e", file],
  bash: (file) => ["bash", "--noprofile", "--norc", "-eo", "pipefail", file],
};
const KNOWN = ["id", "name", "if", "run", "uses", "with", "env", "shell", "working-directory", "continue-on-error", "timeout-minutes"];

// `runner`: {work, store, logs, repository, event, environment, tools}; `contexts` as they are for this job.
export function runJob(workflow, id, job, runner, contexts) {
  const labels = [evaluate(job["runs-on"], contexts)].flat();
  const own = labels.includes("self-hosted");
  const folder = join(runner.work, own ? "self-hosted/checkout" : `hosted/${runner.number}-${id.replaceAll("/", "-")}`);
  const temp = join(runner.work, "temp");
  if (!own) rmSync(folder, { recursive: true, force: true });
  for (const path of [folder, temp, runner.logs]) mkdirSync(path, { recursive: true });
  const world = {
    ...runner,
    folder,
    temp,
    id,
    log: openSync(join(runner.logs, `${readdirSync(runner.logs).length}-${id.replaceAll("/", "-")}.log`), "a"),
    tracking: `github_${runner.number}_${id}`,
    permissions: job.permissions ?? workflow.permissions,
    defaults: { ...workflow.defaults?.run, ...job.defaults?.run },
    minutes: job["timeout-minutes"] ?? 360,
    added: {},
    paths: [],
    summary: "",
  };
  const here = { ...contexts, env: {}, steps: {}, job: { status: "success" }, runner: { os: "Linux", arch: "X64", temp, name: "runner" } };
  here.github = { ...contexts.github, workspace: folder, job: id };
  for (const env of [workflow.env, job.env]) Object.assign(here.env, texts(evaluate(env ?? {}, here)));
  const steps = runSteps(job.steps, world, here);
  endOrphans(world.tracking);
  const environment = evaluate(job.environment ?? null, here);
  return {
    result: here.job.status,
    runner: own ? "self-hosted" : "hosted",
    environment: environment?.name ?? environment,
    permissions: world.permissions,
    outputs: texts(evaluate(job.outputs ?? {}, here)),
    summary: world.summary,
    steps,
  };
}

function runSteps(steps, world, here) {
  const functions = {
    success: () => here.job.status === "success",
    failure: () => here.job.status === "failure",
    always: () => true,
    cancelled: () => false,
  };
  const told = [];
  for (const [at, step] of steps.entries()) {
    for (const key of Object.keys(step)) if (!KNOWN.includes(key)) throw new Refused(`step key ${key} is not known`);
    const inside = { ...here, env: { ...here.env, ...world.added } };
    let conclusion = "skipped";
    let outputs = {};
    if (truth(evaluate(step.if, inside, functions))) {
      inside.env = { ...inside.env, ...texts(evaluate(step.env ?? {}, inside)) };
      const evaluated = { ...step, ...evaluate({ run: step.run, uses: step.uses, with: step.with ?? {}, dir: step["working-directory"] }, inside) };
      ({ conclusion, outputs } = step.uses ? useAction(evaluated, world, inside) : runCommand(evaluated, at, world, inside));
    }
    here.steps[step.id] = { outputs, outcome: conclusion, conclusion: step["continue-on-error"] ? "success" : conclusion };
    if (conclusion === "failure" && !step["continue-on-error"]) here.job.status = "failure";
    told.push({ name: step.name ?? step.run ?? step.uses, result: conclusion });
  }
  return told;
}

// `uses: ./folder`: the steps of the action in the job's own checkout, with its inputs and nothing else of the job's steps.
function useOwnAction(step, world, here) {
  const folder = resolve(world.folder, step.uses);
  const action = readAction(join(folder, "action.yml"));
  const inputs = inputsFor(action.inputs, texts(step.with), step.uses);
  const inside = { ...here, inputs: texts(evaluate(inputs, here)), steps: {}, job: { status: "success" } };
  runSteps(action.runs.steps, Object.assign(world, { action: folder }), inside);
  delete world.action;
  const outputs = Object.fromEntries(Object.entries(action.outputs ?? {}).map(([name, output]) => [name, output.value]));
  return { conclusion: inside.job.status, outputs: texts(evaluate(outputs, inside)) };
}

function useAction(step, world, here) {
  if (step.uses.startsWith("./")) return useOwnAction(step, world, here);
  const say = (line) => writeFileSync(world.log, `${line}\n`);
  say(`##[group]Run ${step.uses}`);
  try {
    const job = { ...world, env: environment(world, here, {}) };
    return { conclusion: "success", outputs: texts(act(step.uses, texts(step.with), job)) };
  } catch (error) {
    if (error instanceof Refused) throw error;
    say(`##[error]${error.message}`);
    return { conclusion: "failure", outputs: {} };
  }
}

function runCommand(step, at, world, here) {
  const shell = SHELLS[step.shell ?? world.defaults.shell ?? ""];
  if (!shell) throw new Refused(`the runner does not know the shell ${step.shell}`);
  const stem = join(world.temp, `${world.number}-${world.id.replaceAll("/", "-")}-${at}`);
  const files = Object.fromEntries(["OUTPUT", "ENV", "PATH", "STEP_SUMMARY"].map((name) => [name, `${stem}-${name}`]));
  for (const file of Object.values(files)) writeFileSync(file, "");
  writeFileSync(`${stem}.sh`, step.run);
  writeFileSync(world.log, `##[group]Run ${step.run}\n`);
  const [program, ...words] = shell(`${stem}.sh`);
  const done = spawnSync(program, words, {
    cwd: resolve(world.folder, step.dir ?? world.defaults["working-directory"] ?? "."),
    env: environment(world, here, Object.fromEntries(Object.entries(files).map(([name, file]) => [`GITHUB_${name}`, file]))),
    stdio: ["ignore", world.log, world.log],
    timeout: Number(step["timeout-minutes"] ?? world.minutes) * 60000,
    killSignal: "SIGKILL",
  });
  const read = (name) => readFileSync(files[name], "utf8");
  Object.assign(world.added, pairs(read("ENV")));
  world.paths.unshift(...read("PATH").split("\n").filter(Boolean));
  world.summary += read("STEP_SUMMARY");
  writeFileSync(world.log, `##[exit] ${done.status}\n`);
  return { conclusion: done.status === 0 ? "success" : "failure", outputs: pairs(read("OUTPUT")) };
}

// `name=value` lines, and `name<<END` … `END`; anything else is an error, as it is for GitHub.
function pairs(content) {
  const found = {};
  const lines = content.split("\n");
  while (lines.length) {
    const line = lines.shift();
    if (!line) continue;
    const [, name, mark, rest] = /^([^=<]+?)(=|<<)(.*)$/s.exec(line) ?? [];
    if (!name) throw new Refused(`Invalid format '${line}'`);
    if (mark === "=") found[name] = rest;
    else {
      const end = lines.indexOf(rest);
      if (end < 0) throw new Refused(`Matching delimiter not found '${rest}'`);
      found[name] = lines.splice(0, end + 1).slice(0, -1).join("\n");
    }
  }
  return found;
}

function environment(world, here, files) {
  const { github } = here;
  return {
    HOME: join(world.work, "home"),
    LANG: "C.UTF-8",
    ...world.environment,
    PATH: [...world.paths, world.environment.PATH].join(":"),
    CI: "true",
    GITHUB_ACTIONS: "true",
    ...(world.action ? { GITHUB_ACTION_PATH: world.action } : {}),
    GITHUB_ACTOR: github.actor,
    GITHUB_API_URL: github.api_url,
    GITHUB_EVENT_NAME: github.event_name,
    GITHUB_EVENT_PATH: github.event_path,
    GITHUB_JOB: world.id,
    GITHUB_REF: github.ref,
    GITHUB_REF_NAME: github.ref_name,
    GITHUB_REPOSITORY: github.repository,
    GITHUB_RUN_ATTEMPT: "1",
    GITHUB_RUN_ID: github.run_id,
    GITHUB_SERVER_URL: github.server_url,
    GITHUB_SHA: github.sha,
    GITHUB_WORKFLOW: github.workflow,
    GITHUB_WORKSPACE: world.folder,
    RUNNER_TEMP: world.temp,
    RUNNER_TRACKING_ID: world.tracking,
    ...here.env,
    ...files,
  };
}

// The real runner kills every process that still carries the job's RUNNER_TRACKING_ID when the job ends.
function endOrphans(tracking) {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const found = readFileSync(join("/proc", pid, "environ"), "latin1").split("\0");
      if (found.includes(`RUNNER_TRACKING_ID=${tracking}`)) process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (!["ENOENT", "ESRCH", "EACCES"].includes(error.code)) throw error;
    }
  }
}

