"""What runs inside of a box, with the standard library alone: begin with `box_server`."""
