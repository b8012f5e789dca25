"""What works on a specification: checker, judge, why, step, reports."""
