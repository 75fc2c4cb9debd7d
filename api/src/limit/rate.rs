//! The limits as they are set: `search=3000/10s,account=200/10s,address=2000/10s,sign-in=20/60s`, any of them `off`, or all.

use std::str::FromStr;
use std::time::Duration;

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub(super) count: u32,
    /// In how long: whole seconds.
    pub(super) period: Duration,
}

/// Every limit; none where it is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Reads of one address.
    pub(super) search: Option<Rate>,
    /// Writes of one account.
    pub(super) account: Option<Rate>,
    /// Writes of one address.
    pub(super) address: Option<Rate>,
    /// Passwords tried for one email from one address.
    pub(super) sign_in: Option<Rate>,
}

/// Text that is no list of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no list of rate limits")]
pub struct ParseRatesError;

const fn rate(count: u32, period_s: u64) -> Rate {
    Rate { count, period: Duration::from_secs(period_s) }
}

impl Default for Rates {
    /// Far above what a person does, and an office behind one address; far below what a script would like to.
    fn default() -> Self {
        Self {
            search: Some(rate(3000, 10)),
            account: Some(rate(200, 10)),
            address: Some(rate(2000, 10)),
            sign_in: Some(rate(20, 60)),
        }
    }
}

impl FromStr for Rate {
    type Err = ParseRatesError;

    fn from_str(text: &str) -> Result<Self, ParseRatesError> {
        let parsed = || {
            let (count, period) = text.split_once('/')?;
            let (count, period_s) = (count.parse().ok()?, period.strip_suffix('s')?.parse().ok()?);
            let sensible = count > 0 && (1..=86_400).contains(&period_s);
            sensible.then_some(rate(count, period_s))
        };
        parsed().ok_or(ParseRatesError)
    }
}

impl FromStr for Rates {
    type Err = ParseRatesError;

    /// What is not named keeps its default.
    fn from_str(text: &str) -> Result<Self, ParseRatesError> {
        if text.trim() == "off" {
            return Ok(Self { search: None, account: None, address: None, sign_in: None });
        }
        let mut rates = Self::default();
        for part in text.split(',') {
            let (name, value) = part.trim().split_once('=').ok_or(ParseRatesError)?;
            let value = if value == "off" { None } else { Some(value.parse()?) };
            *match name {
                "search" => &mut rates.search,
                "account" => &mut rates.account,
                "address" => &mut rates.address,
                "sign-in" => &mut rates.sign_in,
                _ => return Err(ParseRatesError),
            } = value;
        }
        Ok(rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_keeps_its_default() {
        let rates: Rates = "search=5/1s, address=off".parse().unwrap();
        assert_eq!(rates, Rates { search: Some(rate(5, 1)), address: None, ..Rates::default() });
        assert_eq!("off".parse::<Rates>().unwrap().sign_in, None);
        for wrong in
            ["", "search", "search=5", "search=0/1s", "search=1/0s", "search=1/1m", "colour=1/1s", "search=-1/1s"]
        {
            assert!(wrong.parse::<Rates>().is_err(), "{wrong}");
        }
    }
}
