"""Many threads and processes."""
from ..registry import fault

GROUP = "Threads and processes"


def many(name, how, said, options=()):
    @fault(name, GROUP, said)
    def run(trial):
        alone = trial.alone("many.py", how)
        trial.same(alone, trial.finish(trial.record("many.py", how, options=options)))
        trial.no_stall()
        # To make a thread or a process is most of the work here.
        trial.opens(whole=True, functions=("<module>", "churn", "one", "_bootstrap"))
        trial.nothing_left()


many("threads-200", "at-once", "200 threads at once")
many("threads-200-real-time", "at-once", "200 threads at once, `--real-time`", ("--real-time",))
many("threads-come-and-go", "come-and-go", "400 threads, four at a time")
many("threads-come-and-go-real-time", "come-and-go", "the same, `--real-time`", ("--real-time",))
many("fork-in-threads", "fork-in-threads", "four threads fork five times each")
many("fork-and-go-on", "fork-and-go-on", "forked children go on, start threads, end by themselves")
many("fork-pool", "pool", "a pool of `multiprocessing` with three forked workers")
