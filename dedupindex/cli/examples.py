"""The verbs in groups, and examples of their use, as help shows them."""

from __future__ import annotations

from collections.abc import Mapping

VERBS: Mapping[str, tuple[str, ...]] = {
    "Find duplicates": ("scan", "ingest", "report", "query", "compare", "similar", "prove", "watch", "serve"),
    "Act on them": ("decide", "plan", "apply", "undo"),
    "Data sets and measuring": ("split", "leaks", "evaluate", "demo"),
    "Hashes for moderation": ("bank",),
    "Other programs": ("import-list",),
    "Catalogues": ("merge", "relocate", "forget", "failures"),
    "Keep it healthy": ("info", "check", "rebuild", "backup", "restore", "doctor", "upgrade"),
}
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": ("dedupindex scan ~/Pictures", "dedupindex serve --open"),
    "scan": (
        "dedupindex scan ~/Pictures --html report.html",
        "dedupindex scan ~/Pictures --since last --exit-code",
        "dedupindex scan card --against ~/Archive",
    ),
    "ingest": ("dedupindex ingest ~/Pictures", "dedupindex ingest --list pictures.csv --id-column sku"),
    "merge": ("dedupindex -d all.db merge laptop.db --volume laptop",),
    "query": (
        "dedupindex query new.jpg",
        "dedupindex query new.jpg --limit 3 --json",
        "dedupindex query new.jpg --bank known.csv",
    ),
    "similar": ("dedupindex similar a.jpg", "dedupindex similar a.jpg --embedding model.onnx --limit 20"),
    "compare": ("dedupindex compare a.jpg b.jpg", "dedupindex compare a.jpg b.jpg --picture difference.png"),
    "report": (
        "dedupindex report --sort bytes --top 20",
        "dedupindex report --relation crop_of --html crops.html",
        "dedupindex report --across card ~/Archive",
        "dedupindex report --since 7d --json",
    ),
    "prove": ("dedupindex prove", "dedupindex prove --again"),
    "plan": (
        "dedupindex plan -o plan.json",
        "dedupindex plan --relation copy --protect ~/Masters -o plan.json",
        "dedupindex plan --action move --to ~/Duplicates -o plan.json",
    ),
    "apply": ("dedupindex apply plan.json --dry-run", "dedupindex apply plan.json"),
    "undo": ("dedupindex undo plan.journal",),
    "evaluate": (
        "dedupindex evaluate ~/Pictures --limit 50",
        "dedupindex evaluate ~/Pictures --attack crop --attack blur:2",
    ),
    "split": (
        "dedupindex split data -o split.csv",
        "dedupindex split all.json --coco parts --parts train=0.7,test=0.3 --seed 1",
        "dedupindex split data new --existing split.csv -o split.csv",
    ),
    "leaks": (
        "dedupindex leaks --train data/train --test data/test",
        "dedupindex leaks --train train.json --test test.json --images pictures --sarif leaks.sarif",
        "dedupindex leaks --split split.csv --baseline accepted.json",
    ),
    "decide": (
        "dedupindex decide not-duplicate a.jpg b.jpg",
        "dedupindex decide keeper a.jpg --note 'the sharp one'",
        "dedupindex decide list",
    ),
    "bank": (
        "dedupindex bank export known.csv",
        "dedupindex bank make known.json ~/Known --style threatexchange",
        "dedupindex bank show known.csv",
    ),
    "import-list": (
        "dedupindex import-list assets.json --map /usr/src/app/upload=/srv/immich -o assets.csv",
        "dedupindex import-list photos.json --map =/srv/originals -o photos.csv",
    ),
    "failures": ("dedupindex failures",),
    "info": ("dedupindex info", "dedupindex info picture.tif"),
    "check": ("dedupindex check --deep",),
    "rebuild": ("dedupindex rebuild", "dedupindex rebuild --describe"),
    "backup": ("dedupindex backup ~/Backups/pictures.db",),
    "restore": ("dedupindex restore ~/Backups/pictures.db",),
    "relocate": ("dedupindex relocate /media/old /media/new --dry-run",),
    "forget": ("dedupindex forget ~/Pictures/old", "dedupindex forget --missing-for 90d --dry-run"),
    "doctor": ("dedupindex doctor",),
    "upgrade": ("dedupindex upgrade",),
    "watch": ("dedupindex watch ~/Pictures --every 1h --reports ~/Reports",),
    "serve": ("dedupindex serve --open", "dedupindex serve --api-only --tokens tokens.txt --port 8080"),
    "demo": ("dedupindex demo pictures",),
}  # fmt: skip
