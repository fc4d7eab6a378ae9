"""`dedupindex` without its start: a process that has imported everything forks for every command it is sent.

Reads a JSON object a line from stdin (argv, cwd, env, out, err) and answers with the exit code. What runs in the fork
is the same `main` that the console script runs.
"""

import json
import os
import sys


def serve() -> None:
    import dedupindex.cli.thumbnails
    import dedupindex.compare.measures
    import dedupindex.index
    import dedupindex.reports.comparing
    import dedupindex.reports.html  # noqa: F401
    from dedupindex.cli.main import main

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            become(order)
            main()  # leaves by sys.exit
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(order) -> None:
    """Turn the fork into the process that was asked for."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for descriptor, name in enumerate((os.devnull, order["out"], order["err"])):
        opened = os.open(name, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = order["argv"]


if __name__ == "__main__":
    serve()
