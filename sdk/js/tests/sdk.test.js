/** The SDK itself, natively: what a plug-in does to its context, and what the testkit answers. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  codes, column, Decimal, Entity, EntityReference, Guid, keyedGuid, Money, newGuid, not,
  OptionValue, plugin, PluginError, Query,
} from "offstage";
import { Organization } from "offstage/testkit";

const ACCOUNT = new Guid(0n, 0xaccn);

plugin("tests.Changes", (context) => {
  const target = context.target;
  target.set("name", target.get("name"));
  target.delete("fax");
  context.setSharedVariable("seen", true);
  context.setOutput("score", new OptionValue(3));
  context.removeSharedVariable("seen");
});

plugin("tests.Requests", (context) => {
  const { service } = context;
  const task = new Entity("task", { subject: "Call", regardingobjectid: context.primaryReference });
  task.id = keyedGuid("call");
  const made = service.create(task);
  service.update(new Entity("task", { percentcomplete: 50 }, { id: made }));
  const row = service.retrieve(new EntityReference("task", made), "subject");
  assert.deepEqual(row.entries(), [["subject", "Call"]]);
  const query = () => new Query("task").select("subject").where(column("subject").beginsWith("ca"));
  assert.deepEqual([...service.retrieveAll(query())].map((found) => String(found.id)), [String(made)]);
  assert.equal(service.retrieveMultiple(query().where(not(column("subject").isNull()))).entities.length, 1);
  assert.equal(service.retrieveMultiple(new Query("task").where(column("subject").equals("x"))).entities.length, 0);
  service.delete(row.reference);
  context.trace(`${context.isOfflinePlayback()} ${newGuid().equals(newGuid())}`);
});

plugin("tests.Refuses", () => {
  throw new PluginError("no", { code: 0x80040001, status: 412 });
});

test("sets and removes are logged in order, equal values too", () => {
  const row = new Entity("account", { name: "Fabrikam", fax: "1" }, { id: ACCOUNT });
  const run = new Organization().run("tests.Changes", "Update", row);
  assert.deepEqual(
    run.changes.map(({ kind, parameter, column: name = "" }) => [kind, parameter, name]),
    [
      ["set-attribute", "Target", "name"],
      ["remove-attribute", "Target", "fax"],
      ["set-shared-variable", "seen", ""],
      ["set-output", "score", ""],
      ["remove-shared-variable", "seen", ""],
    ],
  );
  assert.equal(run.target.has("fax"), false);
});

test("the service makes, changes, finds and deletes rows", () => {
  const organization = new Organization();
  organization.playback = true;
  const row = new Entity("account", { creditlimit: new Money("12.50") }, { id: ACCOUNT });
  const run = organization.run("tests.Requests", "Update", row);
  assert.deepEqual(organization.table("task"), []);
  assert.deepEqual(run.trace, ["true false"]);
});

test("a failed request and a refusal keep code and status", () => {
  const organization = new Organization();
  organization.faults.Create = new PluginError("full", { code: codes.DUPLICATE_RECORD });
  const row = new Entity("account", {}, { id: ACCOUNT });
  const failed = { code: codes.DUPLICATE_RECORD };
  assert.throws(() => organization.run("tests.Requests", "Update", row), failed);
  const refused = { code: 0x80040001, status: 412 };
  assert.throws(() => organization.run("tests.Refuses", "Update", row), refused);
});

test("what is not there is named", () => {
  const row = new Entity("account", { fax: null });
  assert.equal(row.has("fax"), true);
  assert.throws(() => row.reference, /no id here/);
  assert.throws(() => new Organization().run("no.Such", "Create", row), /no plug-in type `no.Such`/);
  assert.throws(() => newGuid(), /no plug-in runs here/);
});

test("ids and digits are exact, and what is none is refused", () => {
  const text = "01234567-89ab-cdef-f123-456789abcdef";
  assert.equal(String(Guid.parse(`{${text.toUpperCase()}}`)), text);
  assert.equal(new Money("9007199254740993.01").digits, "9007199254740993.01");
  for (const broken of ["", "1e5", "12,5", "abc", 1e300]) assert.throws(() => new Decimal(broken));
  assert.throws(() => Guid.parse("nothing"), /no GUID/);
});
