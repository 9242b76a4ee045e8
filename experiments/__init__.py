"""The experiments: what flows from a configuration to a table.

config -> task (gallery jobs) -> base noises -> coupling -> model -> galleries on disk -> scores ->
tables and figures. Each arrow is a call with plain arguments; only the commands see Hydra.
"""
