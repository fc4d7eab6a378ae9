"""Pieces: parts of one picture that another one shows, found by keypoints and confirmed by correlation.

`find_pieces` is the way in. Coordinates are those of the two stored pictures (longest side 512): (x, y), continuous,
the centre of the first pixel at (.5, .5).
"""
