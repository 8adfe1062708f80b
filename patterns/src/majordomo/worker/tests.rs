//! Tests of the worker, on virtual time.
