"""The dress rehearsal: every target of the Makefile, walked with every model it is offered for.

Published weights need a hub and a GPU. Here a loopback hub serves stand-ins at the pinned
revisions: the published classes, files, names of tensors and vocabularies, with small widths and
random weights. Fetching, checking, loading and running are the suite's own.

    networks       small networks of the published classes
    repositories   files as they are published
    hub            serves them, and other files, on the loopback
    data           stand-ins for COCO's annotations and LSUN's bedrooms
    stage          all of it together: hub, pins, caches, a folder to run in
    walk           target after target: plan, run, resume, replay, pages

    python -m scripts.rehearsal
"""
