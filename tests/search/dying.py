"""A stage that ends its process; in a module of its own, so that workers import nothing that only tests need."""

import os

from dedupindex.search.proof_stages import prove_pairs

KILLER = "copy2.jpg"  # the name of the file that it cannot stand


def die_at(tasks):
    if any(place.name == KILLER for task in tasks for file in task.files for place in file.places):
        os._exit(9)
    return prove_pairs(tasks)
