"""What ``tools/benchmark`` measures with. Nothing else imports it."""
