"""Two pictures compared at the resolution that both have: is one a copy of the other, edited, or another picture?

`comparison.prove` puts them on one grid (`picture`), refines how they lie (`subpixel`), looks for what explains the
difference (`explanations`: tone, sharpness, hue, palettes, noise), measures what remains (`residual`, `colour`), finds
the places that changed or moved (`regions`, `displacement`) and judges (`outcome`, with the limits of `thresholds`).
"""
