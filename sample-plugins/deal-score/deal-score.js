/**
 * Scores opportunities: how likely a deal is, from what is known about it and its account.
 *
 * The score is the close probability in percent, 0 to 100, so that views and forecasts have it. A
 * deal that scores high when it is made gets a task to call the customer within a day.
 *
 * Never overrides a person: a probability that the request itself sets stays as it is.
 */

import { column, Entity, keyedGuid, now, OptionValue, plugin, Query } from "offstage";

const PROBABILITY = "closeprobability";
const HOT = 70;
const OPEN = new OptionValue(0);
const DAY_MS = 24 * 60 * 60 * 1000;

/** What speaks for a deal or against it: a name for the trace, points, and when it counts. */
const FACTS = [
  ["base", 40, () => true],
  ["has a close date", 10, ({ deal }) => deal.get("estimatedclosedate") !== null],
  ["has a contact", 10, ({ deal }) => deal.get("parentcontactid") !== null],
  ["worth 100,000 or more", -10, ({ deal }) => amount(deal, "estimatedvalue") >= 100_000],
  ["knows the account", 10, ({ account }) => account !== undefined],
  ["large account", 10, ({ account }) => amount(account, "revenue") >= 1_000_000],
  ["other open deals", 10, ({ openDeals }) => openDeals > 0],
  ["on credit hold", -30, ({ account }) => account?.get("creditonhold") === true],
];

/** A money column as a number; scoring needs no cents. */
function amount(row, name) {
  return row?.get(name)?.toNumber() ?? 0;
}

function factsOf(context, deal) {
  const reference = deal.get("parentaccountid");
  if (!reference) return { deal, account: undefined, openDeals: 0 };
  const account = context.service.retrieve(reference, "name", "revenue", "creditonhold");
  const query = new Query("opportunity")
    .select("name")
    .where(column("parentaccountid").equals(reference))
    .where(column("statecode").equals(OPEN))
    .first(10);
  const others = context.service
    .retrieveMultiple(query)
    .entities.filter((other) => !other.id.equals(context.primaryEntityId));
  return { deal, account, openDeals: others.length };
}

/** The score with the facts that made it. */
export function score(facts) {
  const counted = FACTS.filter(([, , counts]) => counts(facts));
  const points = counted.reduce((sum, [, value]) => sum + value, 0);
  const reasons = counted.map(([name, value]) => `${name} ${value > 0 ? "+" : ""}${value}`);
  return { points: Math.max(0, Math.min(100, points)), reasons };
}

plugin("samples.deals.ScoreDeal", (context) => {
  const { target } = context;
  if (target.has(PROBABILITY)) return;
  const stored = context.preEntityImages.before;
  const deal = stored ? stored.overlaidWith(target) : target;
  const { points, reasons } = score(factsOf(context, deal));
  context.trace(`${points} %: ${reasons.join(", ")}`);
  if (stored?.get(PROBABILITY) !== points) target.set(PROBABILITY, points);
});

plugin("samples.deals.CallHotDeal", (context) => {
  const { target } = context;
  if ((target.get(PROBABILITY) ?? 0) < HOT) return;
  const task = new Entity("task", {
    subject: `Call about ${target.get("name") ?? "a new deal"}`,
    regardingobjectid: context.primaryReference,
    scheduledend: new Date(now().getTime() + DAY_MS),
  });
  // The same id in both runs, whatever else they do: one call, not two.
  task.id = keyedGuid("call");
  context.service.create(task);
});
