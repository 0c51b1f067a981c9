"""Named experiments: one TOML file each, and the dataclasses that they load into."""
