"""Sweeps: many runs from one command, which goes on where it was cut off when it is given again.

A sweep is a folder of ordinary run folders::

    logs/sweeps/<task>/<data>/<swept keys and fixed overrides>/
        <job>/            a run folder, named by the values of the swept keys: gru seed=1
        sweep.yaml        the overrides, and what each job's are (see sweep_folder.SweepFolder)
        trials.sqlite     a search's trials (Optuna's storage), unless they are elsewhere (see storage.py)
        figures/          a search's history and importances
        conf/experiment/best.yaml    a search's best configuration
        .attempts/        who works on it now

Every name comes from the sweep's own words, never from the time or a counter, so the same command finds the
same folders. What is done lies in the run folders alone: ``RunFolder.state()`` tells it.
"""
