"""Whether finished files keep a preset's rules: what is measured is in the file alone, whoever made it."""
