/**
 * Makes `import "offstage"` find this SDK in unit tests, without installing anything:
 * `node --import ./sdk/register.mjs --test tests/`. Never part of a component.
 */

import { register } from "node:module";

const places = {
  offstage: new URL("./src/index.js", import.meta.url).href,
  "offstage/testkit": new URL("./src/testkit.js", import.meta.url).href,
};
const hooks = `
const places = ${JSON.stringify(places)};
export const resolve = (name, context, next) =>
  places[name] ? { url: places[name], shortCircuit: true } : next(name, context);
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
