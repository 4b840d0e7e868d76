"""An agent of a framework: Pydantic AI, whose MCP toolset offers the keys to the model as tools.

The model here is a script, so that the example needs no account and does the same each time. Put the name of a real one
where `FunctionModel(script)` stands, such as "openai:gpt-5", and it decides by itself what to call.

    python examples/agent.py [PATH/TO/mindcache]
"""

import asyncio
import subprocess
import sys
import tempfile

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.function import FunctionModel

MINDCACHE = sys.argv[1] if len(sys.argv) > 1 else "mindcache"


def results(messages):
    """What the tools have answered so far, by the name of the tool."""
    parts = (part for message in messages for part in message.parts)
    return {part.tool_name: part.content for part in parts if isinstance(part, ToolReturnPart)}


async def main(data_dir):
    def person(*args):
        """Someone at the command line, in another process."""
        subprocess.run([MINDCACHE, "--data-dir", data_dir, *args], check=True)

    async def script(messages, info):
        """Plays the model: sees the tools and what they answered, says what to call next."""
        done = results(messages)
        if "write_findings" not in done:
            tools = [tool.name for tool in info.function_tools]
            print(f"the model is offered {len(tools)} tools: {', '.join(tools)}")
            assert "write_findings" in tools
            return ModelResponse([ToolCallPart("write_findings", {"value": "The pump is loud. Who looks at it?"})])
        if "wait_for_change" not in done:
            print(f"write_findings: {done['write_findings']}")
            # The toolset has no call to follow a resource, and a model cannot be interrupted: it asks to be told, in a
            # call that is answered when the key changes. after_version leaves no gap: what was written between the
            # model's own write and this call is told too.
            asked = {"key": "findings", "after_version": done["write_findings"]["version"], "wait_ms": 10_000}
            asyncio.get_running_loop().run_in_executor(None, person, "set", "findings", "Mira does, on Monday.")
            return ModelResponse([ToolCallPart("wait_for_change", asked)])
        if "read_findings" not in done:
            print(f"wait_for_change: {done['wait_for_change']}")
            assert not done["wait_for_change"]["timed_out"]
            return ModelResponse([ToolCallPart("read_findings", {})])
        return ModelResponse([TextPart(f"Someone answered: {done['read_findings']['value']}")])

    # A person makes the key and says what it is for; the model sees that as the description of write_findings.
    person("set", "findings", "")
    person("attr", "findings", "--description", "What the agents found out about the machine")

    server = MCPToolset(StdioTransport(MINDCACHE, ["--data-dir", data_dir, "mcp"]))
    agent = Agent(FunctionModel(script), toolsets=[server])
    async with agent:
        answer = (await agent.run("Report the noise, and tell me who takes care of it.")).output
    print(f"the agent says: {answer}")
    assert answer == "Someone answered: Mira does, on Monday.", answer


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))
