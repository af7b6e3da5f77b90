"""What people see of a run: progress while it goes on, tables and pages once it has ended."""
