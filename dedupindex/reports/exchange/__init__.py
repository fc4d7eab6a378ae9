"""Reports for other programs: notebooks, photo managers, sidecar files."""
