"""Telling somebody of an alert: a webhook, a discussion on the Hub."""

from __future__ import annotations

import json
import urllib.request

from hf_vft.errors import HubError
from hf_vft.monitoring.decision import Decision
from hf_vft.monitoring.policy import Policy

_TIMEOUT = 10


def act(decision: Decision, policy: Policy, *, name: str) -> None:
    """Tell the webhook and the Hub, where the policy names them and there is an alert.

    Raises:
        HubError: If one cannot be reached; the report is written by then.
    """
    if not decision.alert:
        return
    text = "\n".join([decision.headline, *(f"- {why}" for why in decision.reasons)])
    if policy.actions.webhook:
        _post(policy.actions.webhook, {"run": name, "text": text, "action": decision.action})
    if policy.actions.hub:
        _discuss(policy.actions.hub, f"Monitor: {decision.headline}", text)


def _discuss(repo: str, title: str, text: str) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().create_discussion(repo, title=title, description=text)
    except (HfHubHTTPError, OSError) as error:
        raise HubError(f"{repo}: no message left ({type(error).__name__}).") from None


def _post(address: str, payload: dict[str, str]) -> None:
    if not address.startswith(("http://", "https://")):
        raise HubError(f"{address}: a webhook begins with https://.")
    request = urllib.request.Request(  # noqa: S310 – the scheme was checked
        address, json.dumps(payload).encode(), {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=_TIMEOUT).close()  # noqa: S310
    except OSError as error:
        # The address may hold a secret, so only its host is named.
        host = address.split("/")[2]
        raise HubError(f"webhook at {host}: not reached ({type(error).__name__}).") from None
