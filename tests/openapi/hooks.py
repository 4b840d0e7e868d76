"""What is changed in requests before they are sent: nothing waits for long."""

import schemathesis

MOST_MS = 20


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lets calls that wait for a change come back soon."""
    if not case.operation.path.endswith("/wait_for_change") or not isinstance(case.body, dict):
        return
    wait = case.body.get("wait_ms")
    if wait is None or (isinstance(wait, int) and not isinstance(wait, bool) and MOST_MS < wait <= 45_000):
        case.body["wait_ms"] = MOST_MS
