"""Postal codes as the post writes them: trimmed, in capitals, with the separator of their country.

A code that cannot be one of its country is refused with an example. A country that is not in the
list is left alone."""

import re

from offstage import Context, PluginError, plugin

CODE = "address1_postalcode"
COUNTRY = "address1_country"

# Country: how a code is read, how it is written, and an example of it. Spaces and hyphens are taken
# out before it is read.
FORMATS = {
    "AT": (r"(\d{4})", r"\1", "1010"),
    "BE": (r"(\d{4})", r"\1", "1000"),
    "BR": (r"(\d{5})(\d{3})", r"\1-\2", "01310-100"),
    "CA": (r"([ABCEGHJ-NPRSTVXY]\d[A-Z])(\d[A-Z]\d)", r"\1 \2", "K1A 0B1"),
    "CH": (r"(\d{4})", r"\1", "8001"),
    "CZ": (r"(\d{3})(\d{2})", r"\1 \2", "110 00"),
    "DE": (r"(\d{5})", r"\1", "10115"),
    "FR": (r"(\d{5})", r"\1", "75001"),
    "GB": (r"([A-Z]{1,2}\d[A-Z\d]?)(\d[A-Z]{2})", r"\1 \2", "SW1A 1AA"),
    "JP": (r"(\d{3})(\d{4})", r"\1-\2", "100-0001"),
    "NL": (r"(\d{4})([A-Z]{2})", r"\1 \2", "1012 AB"),
    "PL": (r"(\d{2})(\d{3})", r"\1-\2", "00-950"),
    "PT": (r"(\d{4})(\d{3})", r"\1-\2", "1000-001"),
    "SE": (r"(\d{3})(\d{2})", r"\1 \2", "111 22"),
    "US": (r"(\d{5})(\d{4})?", r"\1-\2", "20500 or 20500-0003"),
}

NAMES = {
    "AUSTRIA": "AT",
    "BELGIUM": "BE",
    "BRAZIL": "BR",
    "CANADA": "CA",
    "CZECHIA": "CZ",
    "FRANCE": "FR",
    "GERMANY": "DE",
    "GREAT BRITAIN": "GB",
    "JAPAN": "JP",
    "NETHERLANDS": "NL",
    "POLAND": "PL",
    "PORTUGAL": "PT",
    "SWEDEN": "SE",
    "SWITZERLAND": "CH",
    "UK": "GB",
    "UNITED KINGDOM": "GB",
    "UNITED STATES": "US",
    "USA": "US",
}


def country_code(country: str) -> str:
    """The two letters of a country, from its name or its letters."""
    name = country.strip().upper()
    return NAMES.get(name, name)


def normalize(typed: str, country: str) -> str:
    """The code as the post of the country writes it; unknown countries get it back trimmed."""
    form = FORMATS.get(country)
    if form is None:
        return typed.strip()
    pattern, written, example = form
    found = re.fullmatch(pattern, re.sub(r"[\s-]", "", typed.upper()), re.ASCII)
    if found is None:
        raise PluginError(f'"{typed}" is no postal code of {country}: write it like {example}.')
    return found.expand(written).rstrip("-")


@plugin("samples.addresses.NormalizePostalCode")
def normalize_postal_code(context: Context) -> None:
    """Normalises the postal code of the row in ``Target``.

    The country may be in the request, or on the row as it is stored: then the pre-image has it. The
    step's configuration is the country of rows that name none."""
    target = context.target
    stored = context.properties.pre_entity_images.get("address")
    row = target if stored is None else stored.overlaid_with(target)
    typed = row.get(CODE)
    if typed is None or not typed.strip():
        return
    country = country_code(row.get(COUNTRY) or context.configuration)
    code = normalize(typed, country)
    if code != typed:
        context.trace(f"{CODE}: {typed} -> {code} ({country or 'no country'})")
        target[CODE] = code
