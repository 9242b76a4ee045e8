"""The page that a run or a table ends in: one HTML file that needs nothing but itself.

    results, what made them -> page(...) -> Page, plain frozen values -> html(...) -> text

The view model holds every number as it is printed and every picture as a data URI; the template
lays it out, and a script of the page sorts and filters what is there. The same input gives the same
bytes. `python -m experiments.report` makes the book of all tables from their files, without a run.
"""
