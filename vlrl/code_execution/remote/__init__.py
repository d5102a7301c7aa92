"""Programs on a service, by one request each. Read `remote_executor`; the other files say what a service is sent."""
