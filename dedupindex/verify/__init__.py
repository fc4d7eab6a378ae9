"""From two images to a verdict, and to a proof at full resolution."""
