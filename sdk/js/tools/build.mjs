/**
 * Makes a component of a JavaScript or TypeScript plug-in: bundles it with the SDK and whatever
 * packages it imports, and puts the bundle into a component that imports nothing but the contract.
 *
 *     node build.mjs ENTRY SDK WIT OUTPUT
 *
 * Never adds the package's declarations; `offstage plugin build` does.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { componentize } from "@bytecodealliance/componentize-js";
import { rolldown } from "rolldown";

const [entry, sdk, wit, output] = process.argv.slice(2).map((path) => resolve(path));
const START = "\0offstage-start";
const PLACES = {
  offstage: join(sdk, "src/index.js"),
  "offstage/guest": join(sdk, "src/guest.js"),
};

/** The component's own first module: the guest before the plug-in, which registers its types. */
const start = {
  name: "offstage",
  resolveId: (id) => (id === START ? id : PLACES[id]),
  load: (id) =>
    id === START
      ? `export { execute } from "offstage/guest";\nimport ${JSON.stringify(entry)};`
      : undefined,
};

const bundle = await rolldown({
  input: START,
  external: /^offstage:plugin\//,
  plugins: [start],
  treeshake: { moduleSideEffects: true },
});
const folder = await mkdtemp(join(tmpdir(), "offstage-js-"));
try {
  const file = join(folder, "plugin.js");
  await bundle.write({ file, format: "esm" });
  const { component } = await componentize({
    sourcePath: file,
    witPath: wit,
    worldName: "plugin",
    // Nothing of the machine: a plug-in imports the contract only.
    disableFeatures: ["clocks", "fetch-event", "http", "random", "stdio"],
  });
  await writeFile(output, component);
} finally {
  await rm(folder, { recursive: true });
}
