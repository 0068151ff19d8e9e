/**
 * The WebAssembly side: the contract's imports as a host, and its export.
 *
 * Generated shapes end here; nothing of them reaches a plug-in author. Never imported outside a
 * component, where the contract's interfaces do not exist.
 */

import * as operation from "offstage:plugin/operation@1.0.0";
import * as organization from "offstage:plugin/organization@1.0.0";
import * as tracing from "offstage:plugin/tracing@1.0.0";

import { Context } from "./context.js";
import { changeTo, contextFrom, guidFrom, parametersFrom, parametersTo } from "./convert.js";
import { find } from "./definition.js";
import { makeDeterministic } from "./determinism.js";
import { PluginError } from "./errors.js";
import { install } from "./host.js";

/** The date of the machine's language, not of its clock: `determinism.js` replaces `Date`. */
const time = (milliseconds) => new Date(Number(milliseconds));

const imports = {
  execute(message, parameters) {
    const request = { message, parameters: parametersTo(parameters) };
    let output;
    try {
      output = organization.execute(request);
    } catch (error) {
      const fault = error.payload ?? error;
      throw new PluginError(fault.message, { code: fault.code, status: fault.status });
    }
    return parametersFrom(output);
  },
  parentContext(level) {
    const parent = organization.parentContext(level);
    return parent && contextFrom(parent);
  },
  isOfflinePlayback: () => organization.isOfflinePlayback(),
  now: () => time(operation.now()),
  serverNow: () => time(operation.serverNow()),
  newGuid: () => guidFrom(operation.newGuid()),
  random: () => operation.random(),
  keyedGuid: (key) => guidFrom(operation.keyedGuid(key)),
  trace: (text) => tracing.trace(text),
};

/** The contract's export: runs the plug-in type of this name. */
export function execute(type, properties) {
  try {
    const run = find(type);
    const context = new Context(contextFrom(properties));
    run(context);
    return context.changes.map(changeTo);
  } catch (error) {
    if (error instanceof PluginError) {
      // A plain object is the error of the contract's result.
      throw { code: error.code >>> 0, message: error.message, status: error.status };
    }
    // The caller reads "an unexpected error"; the trace says where it happened.
    tracing.trace(`${error}\n${error?.stack ?? ""}`);
    throw error;
  }
}

install(imports);
makeDeterministic(imports);
