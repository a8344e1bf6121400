"""matches.py DOCUMENT SCHEMA FILE: whether each element of the list in FILE is what the schema of the
OpenAPI document says, with nothing that it does not name. Prints what is not."""
import json
import sys

import openapi_schema_validator
import yaml

document, name, path = sys.argv[1:]
with open(document, encoding="utf-8") as f:
    described = yaml.safe_load(f)
schema = {"components": described["components"], "$ref": f"#/components/schemas/{name}"}
known = set(described["components"]["schemas"][name]["properties"])
validator = openapi_schema_validator.OAS30Validator(schema)
wrong = 0
with open(path, encoding="utf-8") as f:
    for value in json.load(f):
        problems = [error.message for error in validator.iter_errors(value)]
        problems += [f"{member} is not described" for member in set(value) - known]
        for problem in problems:
            print(problem)
            wrong += 1
sys.exit(wrong > 0)
