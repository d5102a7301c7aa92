"""Environments that others serve: tools of MCP servers, OpenEnv servers.

Read mcp_environment, then mcp_connection.
"""
