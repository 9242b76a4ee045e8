"""The page that a run or a table ends in: one HTML file that needs nothing but itself.

    results, what made them -> page(...) -> HTML, one text

The template reads the table itself. Beside it stands what has to be computed: places on bars,
outlines of distributions, pictures as data URIs. A script of the page sorts and filters what is
there. The same input gives the same bytes.

`python -m experiments.report` makes the book of all tables from their files, without a run.
"""
