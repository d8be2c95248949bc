// GitHub's own parser and expressions, from .venv/node. Both are made for bundlers, so two things need telling to Node:
// where the packages are (not above this file), and that a .json is JSON.
import { register } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = process.env.NODE_PACKAGES ?? resolve(here, "../../../../.venv/node/node_modules");

register(
  "data:text/javascript," +
    encodeURIComponent(`
      export const load = (url, context, next) =>
        next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context);
    `),
);

const open = (name, file = "index.js") => import(pathToFileURL(resolve(modules, name, "dist", file)).href);

export const parser = await open("@actions/workflow-parser");
export const expressions = await open("@actions/expressions");
export const actionParser = await open("@actions/workflow-parser", "actions/action-parser.js");
