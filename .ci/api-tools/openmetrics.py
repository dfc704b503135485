"""Reads OpenMetrics text from a file, with the parser of the Prometheus project. Prints the samples
as JSON: a list of [name, labels, value]. Fails on everything that the format forbids."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with open(sys.argv[1], encoding="utf-8") as file:
    families = list(text_string_to_metric_families(file.read()))
names = [family.name for family in families]
assert len(names) == len(set(names)), "a family comes twice"
for family in families:
    assert family.documentation, f"{family.name} has no help"
    assert family.type != "unknown", f"{family.name} has no type"
samples = [(s.name, s.labels, s.value) for family in families for s in family.samples]
seen = {(name, tuple(sorted(labels.items()))) for name, labels, _ in samples}
assert len(seen) == len(samples), "a sample comes twice"
json.dump([[name, labels, value] for name, labels, value in samples], sys.stdout)
