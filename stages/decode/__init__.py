"""From the bytes of a file to upright RGB pixels: what it is, whether it is whole, its colours and its transparency."""
