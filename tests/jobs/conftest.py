"""A suite whose women mind rude texts, for what audits it."""

from tests.cli.measuring.test_audit import rated as rated
