"""New backgrounds for a given object: the paper's second use of coupled noise (4.2, B.3).

A task gives pictures with masks, methods make galleries that keep the object, and scores of
regions say how well (`metrics.regions`). The paper's Tables 2, 8 and 9.
"""
