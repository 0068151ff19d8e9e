/**
 * The SDK for Offstage plug-ins in JavaScript: write a business rule once; it runs on the device
 * while offline and on the server when the work is played back.
 *
 *     import { plugin } from "offstage";
 *
 *     plugin("contoso.TrimName", (context) => {
 *       const name = context.target.get("lastname");
 *       if (name) context.target.set("lastname", name.trim());
 *     });
 *
 * Types, steps and images are declared in `plugin.toml` beside the source. A plug-in never sees the
 * machine's clock, randomness, files or network: `now`, `newGuid`, `keyedGuid` and `randomBits` are
 * derived from the operation and are the same in both runs. So are `Date`, `Math.random` and
 * `crypto.randomUUID` inside a component.
 *
 * Unit tests run natively against "offstage/testkit".
 */

export { Context, Target } from "./context.js";
export { plugin } from "./definition.js";
export { Entity, EntityReference } from "./entity.js";
export { codes, PluginError } from "./errors.js";
export { keyedGuid, newGuid, now, randomBits, serverNow, trace } from "./operation.js";
export { all, any, column, not, Query } from "./query.js";
export { OrganizationService } from "./service.js";
export { Decimal, Double, Guid, Money, OptionValue, References } from "./values.js";
