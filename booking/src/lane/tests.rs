//! The lane's rules, one by one and under generated commands.
