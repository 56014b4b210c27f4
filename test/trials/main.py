"""The command line of scripts/trials."""
import argparse
import fnmatch
import signal
import sys
import time

from . import places, registry, report, runner


SAVE_EVERY = 100  # runs; all of them take hours


def parse(words):
    parser = argparse.ArgumentParser(
        prog="scripts/trials", description="Makes faults on purpose and tells what comes of them.",
        epilog="Writes docs/reliability.md; rows of what was not tried this time stay. The program "
               "tried is $VMFOX, else the newer of build/vmfox and build/dev/vmfox.")
    parser.add_argument("name", choices=["faults"], help="what is tried")
    parser.add_argument("--runs", type=int, default=50, metavar="N",
                        help="how often each (default: 50)")
    parser.add_argument("--python", nargs="+", default=[], metavar="P",
                        help="interpreters (default: pypy3, and the CPython of the tests)")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="FAULT",
                        help="only these, by name or pattern")
    parser.add_argument("--seed", type=int, default=1, help="for the moments (default: 1)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="N",
                        help="begin with this run's moments (default: 0)")
    parser.add_argument("--at-once", type=int, default=2, choices=(1, 2, 3, 4),
                        help="how many at a time (default: 2)")
    parser.add_argument("--add", action="store_true",
                        help="add to the page's figures of the same faults; see --from")
    parser.add_argument("--list", action="store_true", help="name all faults, and try none")
    parser.add_argument("--page", action="store_true",
                        help="only write the page from figures that are there")
    parser.add_argument("--no-page", action="store_true", help="write no page, keep no figures")
    return parser.parse_args(words)


def chosen(patterns):
    found = [fault for fault in registry.FAULTS.values()
             if any(fnmatch.fnmatch(fault.name, pattern) for pattern in patterns)]
    if not found:
        raise places.Absent("no fault is called %s; --list names them" % " ".join(patterns))
    return found


def tell(outcome, count, whole):
    """A line of progress; of a failure what it was, and how to repeat it."""
    job = outcome.job
    wrong = runner.failures(outcome)
    word = "left out, wants " + outcome.absent if outcome.absent else "FAILED" if wrong else "held"
    print("%d/%d  %s, %s, run %d: %s" % (count, whole, job.fault.name, job.python.name, job.number,
                                         word), file=sys.stderr if not wrong else sys.stdout)
    for text in wrong:
        print("    " + "\n    ".join(text.splitlines()))
    if wrong:
        print("  again: " + runner.how_to_repeat(job))
    sys.stdout.flush()


def run(options):
    pythons = places.interpreters(options.python)
    jobs = [runner.Job(fault, python, number, options.seed)
            for number in range(options.first, options.first + options.runs)  # all once, then again
            for fault in chosen(options.only) for python in pythons]
    before = report.load() if options.add else {}
    sums, failed, begun = {}, 0, time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have it ignored
        signal.signal(number, signal.default_int_handler)
    try:
        for count, outcome in enumerate(runner.run_all(jobs, options.at_once), 1):
            key = (outcome.job.fault.name, outcome.job.python.name)
            sums.setdefault(key, report.Sums(outcome.job, before)).add(outcome)
            failed += bool(outcome.wrong)
            tell(outcome, count, len(jobs))
            if not options.no_page and count % SAVE_EVERY == 0:
                report.save(sums.values())
    except KeyboardInterrupt:
        print("stopped; what was tried is kept", file=sys.stderr)
    if not options.no_page:
        report.save(sums.values())
        report.write()
    print("%d runs, %d with something that did not hold, %.0f s" % (
        sum(one.tried for one in sums.values()), failed, time.monotonic() - begun))
    return 1 if failed else 0


def main(words=None):
    options = parse(words)
    try:
        if options.list:
            for fault in registry.FAULTS.values():
                print("%-28s %s: %s" % (fault.name, fault.group, fault.said))
            return 0
        if options.page:
            return 0 if report.write() else 1
        return run(options)
    except places.Absent as error:
        print("scripts/trials: %s" % error, file=sys.stderr)
        return 1
