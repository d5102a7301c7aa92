"""Environments that others serve: tools of MCP servers.

Read mcp_environment, then mcp_connection.
"""
