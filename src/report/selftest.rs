//! What a self-test found, as tables: simulated baselines, and runs of one commit against itself. Pure.

use crate::gate::simulation::{Setting, Tally};

use super::number;
use super::terminal::table::{self, Column};

/// Wide enough for every table here.
const WIDTH: usize = 110;

/// The table of simulated baselines.
pub fn simulated(rows: &[(Setting, Tally)]) -> String {
    let columns = [
        Column::text("sd, runs of each class"),
        Column::number("false\nalarms"),
        Column::number("no change:\ninconclusive"),
        Column::number("one endpoint slower\nby 10 / 20 / 30 %"),
        Column::number("all slower\nby 10 / 20 / 30 %"),
    ];
    let cells = rows.iter().map(|(setting, tally)| {
        let share = |count: u32| number::ratio(f64::from(count) / f64::from(tally.repetitions.max(1)));
        let three = |counts: [u32; 3]| counts.map(share).join(" / ").replace(" % /", " /");
        vec![
            format!("{}, {}", number::ratio(setting.sd), setting.runs),
            share(tally.false_alarms),
            share(tally.inconclusive),
            three(tally.one),
            three(tally.all),
        ]
    });
    lines(&columns, cells.collect())
}

fn lines(columns: &[Column], rows: Vec<Vec<String>>) -> String {
    table::render(columns, rows, WIDTH).into_iter().fold(String::new(), |text, line| text + &line + "\n")
}
