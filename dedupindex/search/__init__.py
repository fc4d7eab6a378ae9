"""From stored images to confirmed pairs, and from a picture to its matches."""
