"""`check_*` functions: what every source, sink and runtime must do. Call them in the tests of a new one."""
