//! Messages and their places.
