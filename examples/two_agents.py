"""Two agents share one memory: one writes, one watches, and when both write at once nothing is lost.

Each agent has a server process of its own, as two desktop clients would have. What they share is the data folder:
mindcache makes the processes take turns, and tells each of them what the other did.

    python examples/two_agents.py [PATH/TO/mindcache]
"""

import asyncio
import json
import subprocess
import sys
import tempfile

from mcp import Client, StdioServerParameters
from mcp.types import Implementation

MINDCACHE = sys.argv[1] if len(sys.argv) > 1 else "mindcache"
PLAN = "mindcache://default/plan"


def agent(name, data_dir):
    """A client with a server of its own. The name that it gives is the name under which its changes are kept."""
    server = StdioServerParameters(command=MINDCACHE, args=["--data-dir", data_dir, "mcp"])
    return Client(server, client_info=Implementation(name=name, version="1"))


async def call(client, tool, **arguments):
    """Calls a tool. Gives its result, and the error if it refused."""
    result = await client.call_tool(tool, arguments)
    content = result.structured_content
    return (None, content["error"]) if result.is_error else (content, None)


async def add_line(name, client, seen, line):
    """Adds a line to the plan as the agent last saw it, and again to what it has become if someone was faster.

    This loop is all that it takes to change a shared value safely: a write says which version it was made from
    (`if_version`), and where that is not the version any more, it is refused and changes nothing.
    """
    while True:
        value = f"{seen['value']}\n- {line}"
        written, error = await call(client, "write_plan", value=value, if_version=seen["version"])
        if written:
            print(f"{name}: wrote version {written['version']}")
            return
        assert error["code"] == "version_mismatch", error
        print(f"{name}: refused: {error['message']}")
        seen, _ = await call(client, "read_plan")
        print(f"{name}: reads again, it is at version {seen['version']}")


async def main(data_dir):
    async with agent("writer", data_dir) as writer, agent("watcher", data_dir) as watcher:
        # The writer makes the plan. In both servers the key has tools of its own now.
        made, _ = await call(writer, "write_key", key="plan", value="- build")
        print(f"writer: made the plan, version {made['version']}")

        # The watcher follows it, and is told of what the writer does next, in a process of its own.
        async with watcher.listen(resource_subscriptions=[PLAN]) as events:
            await add_line("writer", writer, {"value": "- build", "version": made["version"]}, "test")
            await asyncio.wait_for(anext(events), 10)
        seen, _ = await call(watcher, "read_plan")
        print(f"watcher: told of a change, reads version {seen['version']}: {seen['value']!r}")
        assert seen["value"] == "- build\n- test", seen

        # Both have seen the same version, and both add a line. The second one is refused, and mends it.
        await add_line("watcher", watcher, seen, "measure")
        await add_line("writer", writer, seen, "ship")
        plan, _ = await call(writer, "read_plan")
        print(f"the plan, version {plan['version']}:\n{plan['value']}")
        assert plan["value"] == "- build\n- test\n- measure\n- ship", plan

    # Who wrote what is on record.
    command = [MINDCACHE, "--data-dir", data_dir, "history", "plan", "--json"]
    history = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    authors = [version["actor"]["client"] for version in history["versions"]]
    print(f"written by, newest first: {', '.join(authors)}")
    assert authors == ["writer", "watcher", "writer", "writer"], history


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))
