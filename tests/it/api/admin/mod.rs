//! `/api/admin`: for administrators.

mod users;
