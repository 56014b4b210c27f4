"""What the JIT does in the plain cases: a loop with a bridge, a recursion, and a loop that closes
only in its second round, so that its first trace is given up."""
import json


def branches(numbers):
    total = 0
    for number in numbers:
        if number % 3:
            total += number
        else:
            total -= number * 2
    return total


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def toggle(n):
    flag, total = True, 0
    for i in range(n):
        if flag:
            flag = False
            total += 1
        else:
            flag = True
            total += 2
    return total


numbers = list(range(3000))
done = 0
for i in range(40000):
    done += branches(numbers) != 0
for i in range(20):
    toggle(20000)
print(json.dumps({"branches": done, "fib": fib(26)}))
