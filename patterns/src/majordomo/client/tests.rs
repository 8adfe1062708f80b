//! Tests of the client, on virtual time.
