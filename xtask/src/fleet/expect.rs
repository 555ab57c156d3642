//! The answers to the questions, worked out from what `report --fleet --json` says of the same events.
//!
//! In: causes and machines. Out: the rows of each question, as its SQL gives them.

#![expect(
    clippy::indexing_slicing,
    reason = "a key that a JSON value does not have is null"
)]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use serde_json::{Value, json};

/// What the report has.
pub(super) struct Common {
    pub(super) causes: Vec<Value>,
    pub(super) machines: Vec<Value>,
}

type Rows = Vec<Value>;

impl Common {
    /// From the lines that the report prints.
    pub(super) fn of(lines: &str) -> Result<Self> {
        let mut common = Self {
            causes: Vec::new(),
            machines: Vec::new(),
        };
        for line in lines.lines() {
            let mut object: Value = serde_json::from_str(line)?;
            match (object["cause"].take(), object["machine"].take()) {
                (cause @ Value::Object(_), _) => common.causes.push(cause),
                (_, machine @ Value::Object(_)) => common.machines.push(machine),
                _ => bail!("neither a cause nor a machine: {line}"),
            }
        }
        Ok(common)
    }

    /// The rows of a question, in no order.
    pub(super) fn rows(&self, question: &str) -> Result<Rows> {
        Ok(match question {
            "01-causes" => self.causes(|it| {
                Some(
                    [
                        it["machines"].clone(),
                        it["boots"].clone(),
                        it["count"].clone(),
                        time(&it["first"]),
                        time(&it["last"]),
                    ]
                    .to_vec(),
                )
            }),
            "02-first-machine" => self.first(),
            "03-modules" => self.modules(),
            "04-began-with-a-kernel" => self.kernels_of_warnings(),
            "05-coverage-gaps" => self.machines(|it| {
                let nanoseconds = number(&it["gap_seconds"]) * 1_000_000_000;
                (number(&it["gaps"]) > 0).then(|| json!([it["host"], it["gaps"], nanoseconds]))
            }),
            "06-mask-cleared" => {
                self.machines(|it| some(&it["cleared"]).then(|| json!([it["host"], it["cleared"]])))
            }
            "07-states" => self.states(),
            "08-without-a-daemon" => self.machines(|it| {
                some(&it["not_monitored"]).then(|| json!([it["host"], it["not_monitored"]]))
            }),
            "09-losses" => self.machines(|it| {
                let (detail, records) = (&it["losses"]["detail"], &it["losses"]["records"]);
                (some(detail) || some(records)).then(|| json!([it["host"], detail, records]))
            }),
            "10-new-in-a-week" => self.recent(),
            "11-machines-that-differ" => self.differing(),
            "12-kernels" => self.kernels(),
            "13-on-one-machine" => self.causes(|it| {
                (number(&it["machines"]) == 1)
                    .then(|| vec![it["first_host"].clone(), it["count"].clone()])
            }),
            "14-noisiest" => {
                let mut rows =
                    self.causes(|it| Some(vec![it["count"].clone(), it["machines"].clone()]));
                rows.sort_by_key(|row| std::cmp::Reverse(number(&row[5])));
                rows.truncate(10);
                rows
            }
            "15-degraded" => self
                .machines(|it| some(&it["degraded"]).then(|| json!([it["host"], it["degraded"]]))),
            other => bail!(
                "nothing says what the answer to {other} is: add it to xtask/src/fleet/expect.rs"
            ),
        })
    }

    /// How many columns of a question's rows are compared; the others are for people.
    pub(super) fn compared(question: &str) -> usize {
        match question {
            "06-mask-cleared" | "15-degraded" => 2,
            _ => usize::MAX,
        }
    }

    fn causes(&self, more: impl Fn(&Value) -> Option<Vec<Value>>) -> Rows {
        let row = |cause: &Value| {
            let word = |key: &str| cause[key].as_str().unwrap_or_default().into();
            let mut row = vec![
                cause["bit"].clone(),
                word("class"),
                word("module"),
                word("version"),
                word("function"),
            ];
            row.extend(more(cause)?);
            Some(Value::Array(row))
        };
        self.causes.iter().filter_map(row).collect()
    }

    fn machines(&self, row: impl Fn(&Value) -> Option<Value>) -> Rows {
        self.machines.iter().filter_map(row).collect()
    }

    fn first(&self) -> Rows {
        let mut first: BTreeMap<u64, (Value, Value)> = BTreeMap::new();
        for cause in &self.causes {
            let own = (time(&cause["first"]), cause["first_host"].clone());
            let known = first
                .entry(number(&cause["bit"]))
                .or_insert_with(|| own.clone());
            if own.0.as_str() < known.0.as_str() {
                *known = own;
            }
        }
        first
            .into_iter()
            .map(|(bit, (time, host))| json!([bit, host, time]))
            .collect()
    }

    fn modules(&self) -> Rows {
        let mut modules: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>, u64)> = BTreeMap::new();
        for cause in &self.causes {
            let Some(module) = cause["module"].as_str() else {
                continue;
            };
            let found = modules.entry(module).or_default();
            found.0.extend(
                cause["hosts"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str),
            );
            found
                .1
                .insert(cause["version"].as_str().unwrap_or_default());
            found.2 += number(&cause["count"]);
        }
        let row = |(module, (hosts, versions, count)): (&str, (BTreeSet<_>, BTreeSet<_>, u64))| {
            json!([module, hosts.len(), versions.len(), count])
        };
        modules.into_iter().map(row).collect()
    }

    fn kernels_of_warnings(&self) -> Rows {
        let kernels = self
            .causes
            .iter()
            .filter_map(|cause| cause["releases"].as_array());
        let kernels: BTreeSet<_> = kernels.flatten().filter_map(Value::as_str).collect();
        let row = |cause: &Value| {
            let on = cause["releases"].as_array().map_or(0, Vec::len);
            let word = |key: &str| cause[key].as_str().unwrap_or_default().to_owned();
            (cause["bit"] == 9 && on > 0 && on < kernels.len()).then(|| {
                json!([
                    word("function"),
                    word("module"),
                    word("version"),
                    word("class"),
                    cause["releases"],
                    cause["machines"],
                    time(&cause["first"])
                ])
            })
        };
        self.causes.iter().filter_map(row).collect()
    }

    fn states(&self) -> Rows {
        let mut states: BTreeMap<u64, u64> = BTreeMap::new();
        for machine in &self.machines {
            *states.entry(mask(machine)).or_default() += 1;
        }
        states
            .into_iter()
            .map(|(mask, machines)| json!([mask, machines]))
            .collect()
    }

    /// The last event of all is of some machine.
    fn recent(&self) -> Rows {
        let last = self
            .machines
            .iter()
            .filter_map(|it| it["last"].as_str())
            .max();
        let last = last.and_then(|last| last.parse::<jiff::Timestamp>().ok());
        let since = last.map(|last| last - jiff::SignedDuration::from_hours(7 * 24));
        self.causes(|cause| {
            let first = cause["first"].as_str()?.parse::<jiff::Timestamp>().ok()?;
            (Some(first) >= since).then(|| vec![cause["machines"].clone(), time(&cause["first"])])
        })
    }

    fn differing(&self) -> Rows {
        let mut counts: BTreeMap<(&str, u64), u64> = BTreeMap::new();
        for machine in &self.machines {
            *counts.entry((kernel(machine), mask(machine))).or_default() += 1;
        }
        let usual = |kernel: &str| {
            let of_kernel = counts.iter().filter(|((of, _), _)| *of == kernel);
            let most =
                of_kernel.max_by_key(|((_, mask), count)| (**count, std::cmp::Reverse(*mask)));
            most.map_or(0, |((_, mask), _)| *mask)
        };
        self.machines(|it| {
            let usual = usual(kernel(it));
            (mask(it) != usual).then(|| json!([it["host"], kernel(it), mask(it), usual]))
        })
    }

    fn kernels(&self) -> Rows {
        let mut kernels: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for machine in &self.machines {
            let found = kernels.entry(kernel(machine)).or_default();
            found.0 += 1;
            found.1 += u64::from(mask(machine) != 0);
        }
        kernels
            .into_iter()
            .map(|(kernel, (all, tainted))| json!([kernel, all, tainted]))
            .collect()
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn some(value: &Value) -> bool {
    number(value) > 0
}

fn kernel(machine: &Value) -> &str {
    machine["release"].as_str().unwrap_or_default()
}

fn mask(machine: &Value) -> u64 {
    let text = machine["mask"].as_str().unwrap_or_default();
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_default()
}

/// As `ClickHouse` prints it.
fn time(value: &Value) -> Value {
    let text = value.as_str().unwrap_or("1970-01-01T00:00:00.000000000Z");
    text.replace('T', " ").replace('Z', "").into()
}
