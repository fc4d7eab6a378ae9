from pathlib import Path

from dedupindex.records import Failure, LocationRecord, Relation
from dedupindex.records.splits import Leak, LeakKind, LeakReport

ROOT = Path("/data")


def leak(number: int = 1, **values) -> Leak:
    given = {
        "kind": LeakKind.COPY,
        "source_part": "train",
        "part": "test",
        "source": LocationRecord(ROOT / "train" / f"a{number}.jpg"),
        "place": LocationRecord(ROOT / "test" / f"b{number}.jpg"),
        "source_image": 2 * number,
        "image": 2 * number + 1,
        "keys": (f"{number:064x}", f"{number + 1000:064x}"),
        "relations": (Relation.REENCODED, Relation.RESIZED),
        "score": 0.97654321,
        "changed": 0.0,
    }
    return Leak(**{**given, **values})


def hostile_report() -> LeakReport:
    """Names with brackets, spaces, control codes, bytes that are no text; frames; places elsewhere; all kinds."""
    odd = LocationRecord(ROOT / "test" / "x [1](2)\x1b \udcff%.jpg", frame=3)
    return LeakReport(
        parts={"train": 3, "test": 2},
        leaks=(
            leak(1),
            leak(2, place=odd, kind=LeakKind.UNPROVEN, relations=(Relation.UNPROVEN,), changed=None),
            leak(3, place=LocationRecord(Path("s3:/bucket/k y.jpg")), kind=LeakKind.ALTERNATE),
            leak(4, source=LocationRecord(Path("/elsewhere/a b.jpg"))),
        ),
        accepted=(leak(5),),
        unread=(Failure(ROOT / "test" / "bad\n.jpg", "truncated", "ends early"),),
        unknown=(("test", ROOT / "test" / "gone.jpg"),),
    )
