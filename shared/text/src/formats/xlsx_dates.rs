//! Dates as workbooks count them: days since an evening of 1899 or a day of 1904.

const SECONDS: i64 = 24 * 60 * 60;
/// Days between the two beginnings.
const LATER_BEGINNING: i64 = 1462;
/// From 1899-12-30 to 1970-01-01.
const TO_UNIX: i64 = 25_569;
/// The last day of the year 9999; what is no date is shown as a number.
const LAST_DAY: f64 = 2_958_466.0;

/// A date and a time of the day; nothing for a number that is no day.
pub(crate) fn show(number: f64, since_1904: bool, date: bool, time: bool) -> Option<String> {
    let (day, second) = split(number)?;
    let day = if since_1904 { day + LATER_BEGINNING } else { day };
    // Workbooks believe that there was a 29th of February 1900.
    let day = if day < 60 && !since_1904 { day + 1 } else { day };
    let (year, month, of_month) = civil(day - TO_UNIX);
    let shown_date = format!("{year:04}-{month:02}-{of_month:02}");
    Some(match (date, time) {
        (true, true) => format!("{shown_date} {}", clock(second)),
        (true, false) => shown_date,
        _ => clock(second),
    })
}

pub(crate) fn elapsed(number: f64) -> Option<String> {
    let (day, second) = split(number)?;
    Some(clock(day * SECONDS + second))
}

/// Whole days and the seconds after them.
fn split(number: f64) -> Option<(i64, i64)> {
    if !(0.0..LAST_DAY).contains(&number) {
        return None;
    }
    let seconds = (number * SECONDS as f64).round() as i64;
    Some((seconds / SECONDS, seconds % SECONDS))
}

fn clock(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if seconds == 0 { format!("{hours:02}:{minutes:02}") } else { format!("{hours:02}:{minutes:02}:{seconds:02}") }
}

/// Year, month and day of a day since 1970, in the calendar of today. Years begin in March here, so that the day that
/// some of them lack is their last.
fn civil(day: i64) -> (i64, i64, i64) {
    let since = day + 719_468;
    let era = since.div_euclid(146_097);
    let of_era = since.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}
