"""Postal codes as people type them."""

import unittest
import uuid

import postal_codes
from offstage import Entity, PluginError
from offstage.testkit import Organization

TYPE = "samples.addresses.NormalizePostalCode"
ID = uuid.UUID(int=1)


def run(message="Create", stored=None, configuration="", **columns):
    target = Entity("contact", columns, id=ID)
    images = {} if stored is None else {"address": Entity("contact", stored, id=ID)}
    return Organization().run(
        TYPE, message, target, pre_images=images, configuration=configuration
    )


class PostalCodes(unittest.TestCase):
    def test_codes_are_written_as_the_post_writes_them(self):
        cases = [
            ("sw1a1aa", "GB", "SW1A 1AA"),
            ("sw1a 1aa", "united kingdom", "SW1A 1AA"),
            (" 1012ab ", "NL", "1012 AB"),
            ("k1a-0b1", "Canada", "K1A 0B1"),
            ("205000003", "USA", "20500-0003"),
            ("20500", "US", "20500"),
            ("00950", "PL", "00-950"),
            ("1000001", "JP", "100-0001"),
            (" A1 ", "Nowhere", "A1"),
        ]
        for typed, country, expected in cases:
            with self.subTest(typed=typed, country=country):
                made = run(address1_postalcode=typed, address1_country=country)
                self.assertEqual(made.target["address1_postalcode"], expected)

    def test_a_code_that_is_right_is_not_touched(self):
        made = run(address1_postalcode="10115", address1_country="Germany")
        self.assertEqual((made.changes, made.trace), ([], []))

    def test_a_wrong_code_is_refused_with_an_example(self):
        with self.assertRaisesRegex(PluginError, '"1011" is no postal code of DE: .*10115'):
            run(address1_postalcode="1011", address1_country="DE")

    def test_the_stored_row_says_what_the_request_does_not(self):
        stored = {"address1_postalcode": "sw1a1aa", "address1_country": "DE"}
        made = run("Update", stored, address1_country="GB")
        self.assertEqual(made.target["address1_postalcode"], "SW1A 1AA")
        made = run("Update", {"address1_country": "NL"}, address1_postalcode="1012ab")
        self.assertEqual(made.target["address1_postalcode"], "1012 AB")

    def test_the_configuration_is_the_country_of_rows_without_one(self):
        made = run(configuration="SE", address1_postalcode="11122")
        self.assertEqual(made.target["address1_postalcode"], "111 22")

    def test_rows_without_a_code_are_left_alone(self):
        for columns in ({}, {"address1_postalcode": None}, {"address1_postalcode": " "}):
            self.assertEqual(run(**columns).changes, [])

    def test_every_format_reads_its_own_example(self):
        for country, (_, _, example) in postal_codes.FORMATS.items():
            for code in example.split(" or "):
                self.assertEqual(postal_codes.normalize(code, country), code)


if __name__ == "__main__":
    unittest.main()
