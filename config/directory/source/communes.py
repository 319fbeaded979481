#!/usr/bin/env python3
"""Makes config/directory/communes.csv from the dataset of the PyPI package vietnamadminunits 1.0.4 (MIT, see LICENSE here).

    pip download vietnamadminunits==1.0.4 --no-deps && unzip vietnamadminunits-1.0.4-py3-none-any.whl -d units
    python3 communes.py units/vietnamadminunits/data ../provinces.csv > ../communes.csv
"""

import collections
import csv
import json
import pathlib
import sqlite3
import sys

REFORM = "2025-07-01"
LEGAL_BASIS = "NQ 76/2025/UBTVQH15"

data, provinces = pathlib.Path(sys.argv[1]), sys.argv[2]


def organ_of_province():
    """The organ id of each province by its name, old and new."""
    with open(provinces, encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        prefix = "Ủy ban nhân dân "
        return {row["name"].removeprefix(prefix).casefold(): row["organ_id"] for row in rows}


def committee_of(unit):
    """The name of a unit's People's Committee."""
    return f"Ủy ban nhân dân {unit[0].lower() + unit[1:]}"


def successors():
    """From the key of an old commune to those of the new ones its land went to, and to the one the dataset calls the default."""
    converter = json.loads((data / "converter_2025.json").read_text(encoding="utf-8"))
    went, default = collections.defaultdict(set), {}
    for province, communes in converter["DICT_PROVINCE_WARD_NO_DIVIDED"].items():
        for new, olds in communes.items():
            for old in olds:
                went[old].add((province, new))
    for province, communes in converter["DICT_PROVINCE_WARD_DIVIDED"].items():
        for old, news in communes.items():
            for new in news:
                went[old].add((province, new["newWardKey"]))
                if new["isDefaultNewWard"]:
                    default[old] = (province, new["newWardKey"])
    return went, default


def main():
    organ = organ_of_province()
    db = sqlite3.connect(data / "dataset.db")
    new = {}
    rows = []
    for province, name, code, province_key, key in db.execute(
        "SELECT province, ward, wardCode, provinceKey, wardKey FROM admin_units ORDER BY wardCode"
    ):
        new[province_key, key] = id = f"{organ[province.casefold()]}.{code}"
        rows.append([id, committee_of(name), REFORM, "", "", "", LEGAL_BASIS, ""])
    went, default = successors()
    for province, name, district_code, code, province_key, district_key, key in db.execute(
        "SELECT province, ward, districtCode, wardCode, provinceKey, districtKey, wardKey "
        "FROM admin_units_legacy WHERE wardCode IS NOT NULL ORDER BY wardCode"
    ):
        old = f"{province_key}_{district_key}_{key}"
        heirs = sorted(new[heir] for heir in went[old])
        handler = new[default[old]] if len(heirs) > 1 and old in default else ""
        id = f"{organ[province.casefold()]}.{district_code}.{code}"
        rows.append([id, committee_of(name), "", REFORM, ";".join(heirs), handler, LEGAL_BASIS, ""])
    print("# Communes, 10,035 closed on 2025-07-01 and 3,321 opened that day. The ids are illustrative. Columns and source: README.md.")
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(
        ["organ_id", "name", "open_date", "close_date", "successors", "default_successor", "legal_basis", "acts_for_below"]
    )
    out.writerows(sorted(rows, key=lambda row: row[0]))


main()
