"""Reports for other programs: tables, lists of names, notebooks, photo managers, sidecar files."""
