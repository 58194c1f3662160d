"""Fixtures of the adapters' tests."""

from apis import anthropic, api, google, openai, server  # noqa: F401
