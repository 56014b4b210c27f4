"""What the JIT does in the plain cases: a loop with a bridge, a recursion, a loop that closes only in
its second round (the first trace is given up), and one that is too long to be traced."""
import json

try:
    import pypyjit
    pypyjit.set_param("trace_limit=800")
except ImportError:
    pass


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


LONG = ["def long(n):", "    total = 0", "    for i in range(n):"]
LONG += ["        total += (i * %d) %% 7 + len(str(total + i))" % k for k in range(300)]
LONG += ["    return total"]

numbers = list(range(3000))
done = 0
for i in range(2500):
    done += branches(numbers) != 0
for i in range(20):
    toggle(20000)
scope = {}
exec(compile("\n".join(LONG), "long.py", "exec"), scope)
scope["long"](1500)
print(json.dumps({"branches": done, "fib": fib(26)}))
