"""The paper's statements as measurements: each is checked, drawn, and fails loudly if violated.

A module a statement. Its `check(folder)` writes one figure and returns what it measured; a
statement that does not hold raises `Violation`.
"""
