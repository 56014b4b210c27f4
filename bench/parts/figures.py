"""Figures in words, and tables of them."""
import random
import statistics

BOOTSTRAP_TIMES = 2000


def seconds(value):
    return "%.3f s" % value if value < 1 else "%.2f s" % value


def median(values):
    return statistics.median(values)


def column(costs, key):
    return [cost[key] for cost in costs]


def spread(values, show=seconds):
    return "%s to %s" % (show(min(values)), show(max(values)))


def times(value):
    """A ratio to three digits."""
    return "%.0f" % value if value >= 100 else "%.1f" % value if value >= 10 else "%.2f" % value


def ratios(values, base):
    """Round by round; where one has more rounds than the other, those of both."""
    return [a / b for a, b in zip(values, base)]


def ratio_and_spread(values, base):
    """Median, least and most of the ratios of each round."""
    found = ratios(values, base)
    return "%s × (%s)" % (times(median(found)), spread(found, times))


def middle_half(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    return statistics.quantiles(values, n=4, method="inclusive")


def percents(values, base):
    """How much more, in percent: lower quarter, median, upper quarter of the rounds."""
    return middle_half([100 * (ratio - 1) for ratio in ratios(values, base)])


def percent_and_spread(values, base):
    low, middle, high = percents(values, base)
    return "%+.1f %% (%+.1f to %+.1f)" % (middle, low, high)


def percent_interval(values, base):
    """How much more, in percent: the median of the rounds' ratios, and the interval in which it
    lies with 95 %, by drawing as many rounds again and again (bootstrap, with a fixed seed)."""
    found = [100 * (ratio - 1) for ratio in ratios(values, base)]
    dice = random.Random(20240229)
    drawn = sorted(median(dice.choices(found, k=len(found))) for _ in range(BOOTSTRAP_TIMES))
    edge = BOOTSTRAP_TIMES // 40
    return median(found), drawn[edge], drawn[-edge - 1]


def median_and_least(values):
    return "%s (%s)" % (seconds(median(values)), seconds(min(values)))


def count(number):
    return format(number, ",")


def section(out, heading, about):
    """Begins a part's section; `about` is what machine.describe() found."""
    out += ["## " + heading, "", "%s, %s. %s. Load before it began: %s." % (
        about["vmfox"], about["date"], about["machine"], about["load"]), ""]


def table(out, head, rows, align="--:"):
    out.append("| " + " | ".join(head) + " |")
    out.append("|---|" + (align + "|") * (len(head) - 1))
    out += ["| " + " | ".join(row) + " |" for row in rows]
    out.append("")
