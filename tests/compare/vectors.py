"""Fingerprints, digests and sums made by the words of docs/compare.md alone, with nothing but the standard library.

Prints, as JSON, what it makes of the steps of the page's example, for a test to look at."""

import hashlib
import json
import re
import sys
from datetime import datetime


def organ(text):
    groups = text.strip().upper().split(".")
    level_one = re.compile(r"[A-K][0-9]{2}$")
    if not level_one.match(groups[0]):
        groups.reverse()
    while len(groups) > 1 and set(groups[-1]) == {"0"}:
        groups.pop()
    return ".".join(groups)


def code(text):
    owner, day, sequence = text.strip().split("-")
    return f"{organ(owner)}-{day if len(day) == 8 else '20' + day}-{sequence}"


def micros(text):
    if not text:
        return ""
    at = datetime.fromisoformat(text)
    seconds = int(at.replace(microsecond=0).timestamp())
    return str(seconds * 1_000_000 + at.microsecond)


def fingerprint(step):
    own = step.get("own_status")
    actor = step.get("actor", {})
    texts = [
        "truc.step.v1",
        code(step["dossier_code"]),
        str(step["step"]),
        step["procedure_code"].strip(),
        "" if own else str(step["status"]),
        own["code_set"] if own else "",
        own["code"] if own else "",
        actor.get("name", ""),
        actor.get("position", ""),
        actor.get("department", ""),
        micros(step["occurred_time"]),
        micros(step.get("due_time")),
        micros(step.get("start_time")),
        step.get("note", ""),
    ]
    for document in step.get("documents", []):
        texts += [organ(document["sender"]), document["message_id"]]
    written = b""
    for text in texts:
        encoded = text.encode("utf-8")
        written += len(encoded).to_bytes(8, "big") + encoded
    return hashlib.sha256(written).digest()[:16]


def digest(steps):
    written = b""
    for number, print_ in sorted(steps):
        written += number.to_bytes(4, "big") + print_
    return hashlib.sha256(written).digest()[:16]


def main():
    steps = json.load(sys.stdin)
    dossiers = {}
    for step in steps:
        dossiers.setdefault(code(step["dossier_code"]), []).append((step["step"], fingerprint(step)))
    digests = {name: digest(of) for name, of in dossiers.items()}
    total = sum(int.from_bytes(one, "big") for one in digests.values()) % 2**128
    print(json.dumps({
        "fingerprints": [fingerprint(step).hex() for step in steps],
        "dossiers": {
            name: {"place": hashlib.sha256(name.encode()).digest()[:8].hex(), "digest": one.hex()}
            for name, one in sorted(digests.items())
        },
        "sum": total.to_bytes(16, "big").hex(),
    }, indent=2))


main()
