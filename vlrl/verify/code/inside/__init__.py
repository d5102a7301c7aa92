"""What runs inside of the sandbox on both sides of a test, with the standard library alone: `plain_data`,
then `peer`."""
