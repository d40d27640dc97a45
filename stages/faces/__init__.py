"""Faces: where they are, their landmarks, and the head around them."""
