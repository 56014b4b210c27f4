"""Prints the ten most common words of the files named, or of the standard input."""
import re
import sys
from collections import Counter

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


def words(line):
    return WORD.findall(line.lower())


def count(lines):
    counter = Counter()
    for line in lines:
        for word in words(line):
            counter[word] += 1
    return counter


def top(counter, n=10):
    for word, times in counter.most_common(n):
        print(f"{times:9} {word}")


def main(paths):
    counter = Counter()
    for path in paths:
        with open(path, encoding="utf-8") as file:
            counter.update(count(file))
    if not paths:
        counter = count(sys.stdin)
    top(counter)


if __name__ == "__main__":
    main(sys.argv[1:])
