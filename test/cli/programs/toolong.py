"""A loop that is too long to be traced whole."""
import json

import pypyjit

LONG = ["def long(n):", "    total = 0", "    for i in range(n):"]
LONG += ["        total += (i * %d) %% 7 + len(str(total + i))" % k for k in range(300)]
LONG += ["    return total"]

pypyjit.set_param("trace_limit=800")
scope = {}
exec(compile("\n".join(LONG), "long.py", "exec"), scope)
print(json.dumps(scope["long"](1500)))
