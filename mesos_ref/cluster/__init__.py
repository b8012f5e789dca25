"""A whole cluster on one machine: its processes started, watched, hurt on request, and ended."""
