"""Write the table of Viet Nam's administrative units from the package vietnam-provinces.

For developers, once a release of that package; no node reads the package at run time. The units
are those in force since 1 July 2025: 34 provinces and 3,321 communes. A code is not a unit: the key
of a row is (code, valid_from), and a later reform adds rows, never edits them.

Run from the project's folder: `python tools/make_units.py registry/tables/admin_unit.csv`.
"""  # noqa: INP001

import csv
import sys
from pathlib import Path

from vietnam_provinces import Province, Ward

from ledger.text import check_text

COLUMNS = ("code", "level", "name", "kind", "parent", "valid_from", "valid_to", "succeeded_by")
IN_FORCE_FROM = "2025-07-01"
PROVINCES = 34
COMMUNES = 3_321


def rows() -> list[tuple[str, ...]]:
    """Return one row for each unit in force, provinces first, ascending by code."""
    provinces = sorted(
        (f"{province.code.value:02}", "province", province.name, province.division_type.value, "")
        for province in Province.iter_all()
    )
    communes = sorted(
        (
            f"{ward.code.value:05}",
            "commune",
            ward.name,
            ward.division_type.value,
            f"{ward.province_code.value:02}",
        )
        for ward in Ward.iter_all()
    )
    if (len(provinces), len(communes)) != (PROVINCES, COMMUNES):
        raise SystemExit(f"{len(provinces)} provinces and {len(communes)} communes: look again")
    return [(*unit, IN_FORCE_FROM, "", "") for unit in (*provinces, *communes)]


def main() -> None:
    """Write the table to the file named on the command line."""
    table = rows()
    for unit in table:
        for cell in unit:
            check_text(cell)
    with Path(sys.argv[1]).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(table)


if __name__ == "__main__":
    main()
