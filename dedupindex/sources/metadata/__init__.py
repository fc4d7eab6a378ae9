"""What is said of pictures beside their pixels: in the files themselves, and in XMP sidecars."""
