"""A cell: one method over all jobs; built from a configuration, planned, made and scored."""
