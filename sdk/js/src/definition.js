/**
 * The plug-in types of a package: what `plugin` was called with. Never reads declarations: they are
 * in `plugin.toml`, and the host compares the names.
 */

import { dataError } from "./errors.js";

const plugins = new Map();

/** Makes a function the plug-in type of this name, as `plugin.toml` declares it. */
export function plugin(type, run) {
  if (plugins.has(type)) throw new Error(`two functions are the plug-in type \`${type}\``);
  plugins.set(type, run);
  return run;
}

/** The function of a plug-in type. */
export function find(type) {
  const run = plugins.get(type);
  if (!run) {
    const known = [...plugins.keys()].join(", ") || "none";
    throw dataError(`this package exports no plug-in type \`${type}\`; it exports ${known}`);
  }
  return run;
}
