"""What the service is measured against: Falcon on waitress, without a policy, a schema or a record.

Run as `python -m tests.bench.handlers hard-coded|empty THREADS [SWITCH_INTERVAL_SECONDS]`; prints the port it listens
on. Ends when its input does.
"""

import json
import logging
import sys
import threading

import falcon
import waitress

ANSWER = json.dumps(
    {
        "commands": [
            {"type": "com.okta.user.profile.update", "value": {"login": "george.alexander.smith@example.com"}}
        ],
        "debugContext": {
            "decisionId": "019c6b2f4d8a5b1d0c9be8a7f6",
            "policyRevision": "0123456789abcdef",
            "fired": ["logins/free-login"],
        },
    }
).encode()


class HardCoded:
    """The guide's answer as anybody would write it in an afternoon."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Read and parse the body, look at the conflicts, answer."""
        request = json.loads(req.bounded_stream.read())
        resp.data = ANSWER if "login" in request["data"]["context"]["conflicts"] else b"{}"


class Empty:
    """As little as Falcon on waitress can do."""

    def on_post(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer without looking."""
        resp.data = b"{}"


def main() -> None:
    """Serve until the input ends."""
    name, threads, *switch_interval_seconds = sys.argv[1:]
    for seconds in switch_interval_seconds:
        sys.setswitchinterval(float(seconds))
    # waitress writes a line for each request that waits for a thread, which would slow down what we compare with.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = falcon.App()
    app.add_route("/okta/import", HardCoded() if name == "hard-coded" else Empty())
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=int(threads))
    print(server.effective_port, flush=True)
    threading.Thread(target=server.run, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
