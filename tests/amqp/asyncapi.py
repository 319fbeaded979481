"""Prints docs/asyncapi.yaml as JSON, after a look at what a reader of it relies on: every reference leads somewhere."""

import json
import pathlib
import sys

import yaml


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def main():
    path = pathlib.Path(sys.argv[1])
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for reference in references(document):
        file, _, pointer = reference.partition("#")
        if file:
            assert (path.parent / file).is_file(), reference
            continue
        node = document
        for step in pointer.strip("/").split("/"):
            node = node[step]
    print(json.dumps(document))


if __name__ == "__main__":
    main()
