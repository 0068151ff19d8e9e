/** Deals with what speaks for them and against them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Entity, EntityReference, Guid, Money, OptionValue } from "offstage";
import { NOW, Organization } from "offstage/testkit";

import "../deal-score.js";

const ACCOUNT = new Guid(0n, 0xaccn);
const DEAL = new Guid(0n, 0xdean);

const account = (columns = {}) => new Entity("account", { name: "Fabrikam", ...columns }, { id: ACCOUNT });
const deal = (columns = {}) => new Entity("opportunity", { name: "100 chairs", ...columns }, { id: DEAL });
const ofAccount = { parentaccountid: new EntityReference("account", ACCOUNT) };

function scored(organization, target, images = {}) {
  const message = images.before ? "Update" : "Create";
  const run = organization.run("samples.deals.ScoreDeal", message, target, { preEntityImages: images });
  return { ...run, score: run.target.get("closeprobability") };
}

test("each fact counts", () => {
  const other = new Entity(
    "opportunity",
    { ...ofAccount, statecode: new OptionValue(0) },
    { id: new Guid(0n, 1n) },
  );
  const lost = new Entity("opportunity", { ...ofAccount, statecode: new OptionValue(2) }, { id: new Guid(0n, 2n) });
  const rich = account({ revenue: new Money("1000000.00") });
  const cases = [
    ["nothing known", [], {}, 40],
    ["a date", [], { estimatedclosedate: NOW }, 50],
    ["an account", [account()], ofAccount, 50],
    ["a large account", [rich], ofAccount, 60],
    ["another open deal", [rich, other], ofAccount, 70],
    ["a lost deal says nothing", [rich, lost], ofAccount, 60],
    ["a very large deal", [], { estimatedvalue: new Money("250000") }, 30],
    ["credit hold", [account({ creditonhold: true })], ofAccount, 20],
  ];
  for (const [name, rows, columns, expected] of cases) {
    assert.equal(scored(new Organization(...rows), deal(columns)).score, expected, name);
  }
});

test("what a person set stays", () => {
  const run = scored(new Organization(), deal({ closeprobability: 5 }));
  assert.deepEqual([run.score, run.changes], [5, []]);
});

test("an update is scored with the stored row, and only a new score is set", () => {
  const before = deal({ estimatedclosedate: NOW, closeprobability: 50 });
  assert.deepEqual(scored(new Organization(), deal(), { before }).changes, []);
  const later = new Entity("opportunity", { parentcontactid: new EntityReference("contact", DEAL) }, { id: DEAL });
  assert.equal(scored(new Organization(), later, { before }).score, 60);
});

test("the trace says why", () => {
  const run = scored(new Organization(), deal({ estimatedclosedate: NOW }));
  assert.deepEqual(run.trace, ["50 %: base +40, has a close date +10"]);
});

test("a hot deal gets one task, a cold one none", () => {
  const organization = new Organization();
  const call = (columns) => organization.run("samples.deals.CallHotDeal", "Create", deal(columns));
  call({ closeprobability: 69 });
  assert.deepEqual(organization.table("task"), []);
  call({ closeprobability: 70 });
  const [task] = organization.table("task");
  assert.equal(task.get("subject"), "Call about 100 chairs");
  assert.equal(task.get("scheduledend").getTime(), NOW.getTime() + 86_400_000);
  assert.throws(() => call({ closeprobability: 70 }), /exists already/, "its id is derived");
});
