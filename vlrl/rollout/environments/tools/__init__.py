"""Our own tools: pure functions on the images of an episode.

Read tool_environment and image_tools, then image_functions and programs.
"""
