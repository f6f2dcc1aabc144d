//! The picture inside an alert.
