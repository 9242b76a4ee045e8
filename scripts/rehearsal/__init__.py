"""The dress rehearsal: every target of the Makefile, walked with every model it is offered for.

Published weights need a hub and a GPU. Here a loopback hub serves stand-ins at the pinned
revisions: the published classes, files, names of tensors and vocabularies, with small widths and
random weights. Fetching, checking, loading and running are the suite's own.

    networks       small networks of the published classes
    repositories   files as they are published; evaluators: those of the metrics
    hub            serves them, and other files, on the loopback
    stage          all of it together: hub, pins, caches, data, a folder to run in
    targets        what the Makefile offers
    walk           target after target: plan, run, resume, replay, pages
    processes      models side by side

    python -m scripts.rehearsal
"""
