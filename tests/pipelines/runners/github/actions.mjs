// Stand-ins for the actions that generated workflows use: the same effect on the files of a job, without a server.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { glob } from "./events.mjs";
import { Refused } from "./workflow.mjs";

const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/;
const KNOWN = {
  "actions/checkout": checkout,
  "actions/setup-python": nothing(["python-version", "python-version-file", "cache", "cache-dependency-path"]),
  "actions/cache": nothing(["path", "key", "restore-keys"], { "cache-hit": "false" }),
  "actions/upload-artifact": upload,
  "actions/download-artifact": download,
  "aws-actions/configure-aws-credentials": login(["role-to-assume", "aws-region"]),
  "google-github-actions/auth": login(["workload_identity_provider", "service_account"]),
  "azure/login": login(["client-id", "tenant-id", "subscription-id"]),
};

// Returns the outputs of the action; an Error is its failure. `job`: {folder, store, event, repository, permissions}
export function act(uses, options, job) {
  if (!PINNED.test(uses)) throw new Refused(`${uses} is not pinned by a full commit`);
  const known = KNOWN[uses.split("@")[0].toLowerCase()];
  if (!known) throw new Refused(`the runner has no stand-in for ${uses}`);
  return known(options, job) ?? {};
}

function only(options, names) {
  for (const name of Object.keys(options)) if (!names.includes(name)) throw new Refused(`option ${name} is not known`);
}

function nothing(names, outputs = {}) {
  return (options) => {
    only(options, names);
    return outputs;
  };
}

function login(required) {
  return (options, job) => {
    const missing = required.filter((name) => !options[name]);
    if (missing.length) throw new Error(`Input required and not supplied: ${missing.join(", ")}`);
    if (job.permissions?.["id-token"] !== "write") throw new Error("Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable");
    return {};
  };
}

function checkout(options, job) {
  only(options, ["ref", "clean", "fetch-depth", "persist-credentials", "fetch-tags"]);
  const git = (...words) => execFileSync("git", words, { cwd: job.folder, stdio: ["ignore", job.log, job.log], env: job.env });
  const { event } = job;
  const branch = !options.ref && event.ref.startsWith("refs/heads/") ? event.ref.replace("refs/heads/", "") : null;
  if (!existsSync(join(job.folder, ".git"))) {
    git("init", "--quiet", "--initial-branch=main");
    git("remote", "add", "origin", `file://${job.repository}`);
  } else if (options.clean !== "false") {
    git("clean", "-ffdx");
    git("reset", "--hard", "HEAD");
  }
  const depth = options["fetch-depth"] ?? "1";
  const wanted = options.ref ?? event.sha;
  const refs = depth === "0" ? ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"] : [];
  git("fetch", "--quiet", ...(depth === "0" ? [] : ["--no-tags", `--depth=${depth}`]), "origin", wanted, ...refs);
  const commit = execFileSync("git", ["rev-parse", "FETCH_HEAD"], { cwd: job.folder, encoding: "utf8", env: job.env }).trim();
  if (branch) git("update-ref", `refs/remotes/origin/${branch}`, commit);
  git("checkout", "--quiet", "--force", ...(branch ? ["-B", branch, `refs/remotes/origin/${branch}`] : ["--detach", commit]));
  return { commit };
}

// As actions/glob does: hidden entries are left out *below* a search path, and the paths' common folder is the root.
function upload(options, job) {
  only(options, ["name", "path", "if-no-files-found", "retention-days", "include-hidden-files", "overwrite", "compression-level"]);
  const hidden = options["include-hidden-files"] === "true";
  const lines = options.path.split("\n").map((line) => line.trim()).filter(Boolean);
  const out = lines.filter((line) => line.startsWith("!")).map((line) => glob(resolve(job.folder, line.slice(1))));
  const roots = [];
  const files = lines.filter((line) => !line.startsWith("!")).flatMap((line) => search(resolve(job.folder, line), hidden, roots));
  const kept = files.filter((file) => !out.some((pattern) => pattern.test(file)));
  if (!kept.length) {
    const words = `No files were found with the provided path: ${options.path}`;
    if (options["if-no-files-found"] === "error") throw new Error(words);
    return {};
  }
  const target = join(job.store, options.name ?? "artifact");
  if (existsSync(target)) {
    if (options.overwrite !== "true") throw new Error(`an artifact with this name already exists: ${options.name}`);
    rmSync(target, { recursive: true });
  }
  const single = roots.length === 1 ? roots[0] : common(roots);
  const root = existsSync(single) && lstatSync(single).isDirectory() ? single : dirname(single);
  for (const file of kept) copy(file, join(target, relative(root, file)));
  return {};
}

function search(pattern, hidden, roots) {
  const parts = pattern.split("/");
  const magic = parts.findIndex((part) => /[*?[]/.test(part));
  const root = magic < 0 ? pattern : parts.slice(0, magic).join("/");
  roots.push(root);
  if (!existsSync(root)) return [];
  const fits = magic < 0 ? () => true : (path) => glob(pattern).test(path) || glob(`${pattern}/**`).test(path);
  return walk(root, hidden).filter(fits);
}

function walk(path, hidden) {
  if (!hidden && basename(path).startsWith(".") ) return [];
  if (!lstatSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => walk(join(path, name), hidden));
}

function common(paths) {
  let shared = paths[0].split("/");
  for (const path of paths.slice(1)) {
    const other = path.split("/");
    const end = shared.findIndex((part, at) => part !== other[at]);
    if (end >= 0) shared = shared.slice(0, end);
  }
  return shared.join("/");
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}

function download(options, job) {
  only(options, ["name", "path"]);
  const source = join(job.store, options.name ?? "");
  if (!options.name || !existsSync(source)) throw new Error(`Unable to find any artifacts for the name: ${options.name}`);
  const target = resolve(job.folder, options.path ?? ".");
  mkdirSync(target, { recursive: true });
  cpSync(source, target, { recursive: true, force: true });
  return {};
}
