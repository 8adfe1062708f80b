//! Tests of the broker, on virtual time.
