"""The SDK itself, natively: what a plug-in does to its context, and what the testkit answers."""

import unittest
import uuid

from offstage import (
    Entity, EntityReference, Money, OptionValue, PluginError, Query, codes, column, keyed_guid,
    new_guid, plugin,
)
from offstage.testkit import NOW, Organization

ACCOUNT = uuid.UUID(int=0xACC)


@plugin("tests.Changes")
def changes(context):
    target = context.target
    target["name"] = target["name"]
    del target["fax"]
    context.set_shared_variable("seen", True)
    context.set_output("score", OptionValue(3))
    context.remove_shared_variable("seen")


@plugin("tests.Requests")
def requests(context):
    service = context.service
    task = Entity("task", {"subject": "Call", "regardingobjectid": context.primary_reference})
    task.id = keyed_guid("call")
    made = service.create(task)
    service.update(Entity("task", {"percentcomplete": 50}, id=made))
    row = service.retrieve(EntityReference("task", made), "subject")
    assert dict(row) == {"subject": "Call"}
    open_tasks = Query("task").select("subject").where(column("subject").begins_with("ca"))
    assert [found.id for found in service.retrieve_all(open_tasks)] == [made]
    assert len(service.retrieve_multiple(open_tasks.where(~column("subject").is_null()))) == 1
    assert len(service.retrieve_multiple(Query("task").where(column("subject") == "Other"))) == 0
    service.delete(row.reference)
    context.trace(f"{context.is_offline_playback()} {new_guid() == new_guid()}")


@plugin("tests.Refuses")
def refuses(context):
    raise PluginError("no", code=0x80040001, status=412)


class Changes(unittest.TestCase):
    def test_sets_and_removes_are_logged_in_order_equal_values_too(self):
        row = Entity("account", {"name": "Fabrikam", "fax": "1"}, id=ACCOUNT)
        run = Organization().run("tests.Changes", "Update", row)
        logged = [(change.kind, change.parameter, change.column) for change in run.changes]
        self.assertEqual(logged, [
            ("set-attribute", "Target", "name"),
            ("remove-attribute", "Target", "fax"),
            ("set-shared-variable", "seen", ""),
            ("set-output", "score", ""),
            ("remove-shared-variable", "seen", ""),
        ])
        self.assertNotIn("fax", run.target)

    def test_what_is_not_there_is_named(self):
        row = Entity("account", {"fax": None})
        self.assertIsNone(row["fax"])
        for broken, expected in [
            (lambda: row["name"], "`name` of `account` is not mentioned"),
            (lambda: row.reference, "has no id here"),
            (lambda: Organization().run("no.Such", "Create", row), "no plug-in type `no.Such`"),
        ]:
            with self.assertRaises(PluginError) as caught:
                broken()
            self.assertIn(expected, caught.exception.message)

    def test_an_update_is_laid_over_the_stored_row(self):
        stored = Entity("account", {"name": "Old", "fax": "1"}, id=ACCOUNT)
        after = stored.overlaid_with(Entity("account", {"name": "New"}))
        self.assertEqual(dict(after), {"name": "New", "fax": "1"})
        self.assertEqual(dict(stored), {"name": "Old", "fax": "1"})


class Requests(unittest.TestCase):
    def test_the_service_makes_changes_finds_and_deletes_rows(self):
        organization = Organization(playback=True)
        row = Entity("account", {"creditlimit": Money("12.50")}, id=ACCOUNT)
        run = organization.run("tests.Requests", "Update", row)
        self.assertEqual(organization.table("task"), [])
        self.assertEqual(run.trace, ["True False"])
        self.assertEqual([message for message, _ in run.requests][:3],
                         ["Create", "Update", "Retrieve"])

    def test_a_failed_request_and_a_refusal_keep_code_and_status(self):
        organization = Organization()
        organization.faults["Create"] = PluginError("full", codes.DUPLICATE_RECORD)
        row = Entity("account", id=ACCOUNT)
        with self.assertRaises(PluginError) as caught:
            organization.run("tests.Requests", "Update", row)
        self.assertEqual(caught.exception.code, codes.DUPLICATE_RECORD)
        with self.assertRaises(PluginError) as caught:
            organization.run("tests.Refuses", "Update", row)
        self.assertEqual((caught.exception.code, caught.exception.status), (0x80040001, 412))

    def test_outside_a_run_there_is_no_host(self):
        with self.assertRaisesRegex(RuntimeError, "no plug-in runs here"):
            new_guid()
        self.assertEqual(NOW.year, 2026)


if __name__ == "__main__":
    unittest.main()
