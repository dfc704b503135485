"""schema_cases.py FILE: checks values against schemas with the package jsonschema.

Each line of the file is a JSON array: a schema, a value, and whether the value is valid.
"""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as lines:
    for number, line in enumerate(lines, start=1):
        schema, value, expected = json.loads(line)
        Draft202012Validator.check_schema(schema)
        found = Draft202012Validator(schema).is_valid(value)
        if found != expected:
            sys.exit(f"line {number}: {'valid' if found else 'not valid'}, but expected the other: {line}")
    print(f"{number} cases")
