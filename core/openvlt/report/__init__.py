"""What people see of a run: progress while it lasts, tables and pages once it has ended."""
