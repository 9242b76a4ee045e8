"""How fast galleries are made, against what a user would otherwise write; same pictures, shown."""
