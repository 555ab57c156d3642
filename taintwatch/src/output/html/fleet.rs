//! What machines have in common, on the page.
//!
//! In: the causes and the machines. Out: a table a cause, newest first, and a table of the machines that differ.

use maud::{Markup, html};

use super::{text, time};
use crate::{
    event::Time,
    fleet::{Fleet, Machine, groups},
    output::{
        fleet::{NAMED, doubt, size, title, who},
        format::{self, clock},
        limits::Limits,
    },
};

pub(super) fn section(fleet: &Fleet, limits: Limits) -> Markup {
    let machines = fleet.machines();
    html! {
        section #machines aria-labelledby="machines-title" {
            h2 #machines-title { "Machines" }
            p { (size(fleet)) }
            (flags(fleet, &machines, limits))
            (causes(fleet, &machines, limits))
            (doubts(fleet, &machines, limits))
        }
    }
}

fn table(title: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        h3 { (title) }
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

fn flags(fleet: &Fleet, machines: &[Machine], limits: Limits) -> Markup {
    let groups = groups(machines);
    let (shown, more) = limits.first(&groups);
    let names = |group: &crate::fleet::Group<'_>| {
        if group.machines.len() > NAMED {
            return String::new();
        }
        let names = group
            .machines
            .iter()
            .map(|it| fleet.called(it.host.as_deref()));
        format::list(&names.collect::<Vec<_>>(), limits)
    };
    let rows = html! {
        @for group in shown {
            tr {
                th scope="row" { @if group.letters.is_empty() { "none" } @else { (text(group.letters)) } }
                td data-label="machines" { (group.machines.len()) }
                td data-label="kernels" { (text(&format::list(&group.releases(), limits))) }
                td data-label="which" { (text(&names(group))) }
            }
        }
    };
    html! {
        (table("Flags of the newest boots", &["flags", "machines", "kernels", "which"], &rows))
        @if more > 0 { p.note { "and " (format::number(more, "more such group")) } }
    }
}

fn causes(fleet: &Fleet, machines: &[Machine], limits: Limits) -> Markup {
    let causes = fleet.causes();
    let moment = |at: Option<Time>| html! { @if let Some(at) = at { (time(at, &clock(at))) } };
    let rows = html! {
        @for cause in causes.iter().take(limits.groups) {
            tr {
                th scope="row" { (text(&cause.flag)) }
                td data-label="what" { (text(&title(cause))) }
                td data-label="first" { (moment(cause.first)) }
                td data-label="last" { (moment(cause.last)) }
                td data-label="times" { (cause.count) }
                td data-label="machines" { (cause.machines) " of " (machines.len()) ": " (text(&who(fleet, cause, machines, limits))) }
                td data-label="kernels" { (text(&format::list(&cause.releases, limits))) }
            }
        }
    };
    let columns = [
        "flag", "what", "first", "last", "times", "machines", "kernels",
    ];
    let more = causes.len().saturating_sub(limits.groups);
    html! {
        (table("What set them, the newest first", &columns, &rows))
        @if more > 0 { p.note { "and " (format::number(more, "more cause")) } }
    }
}

fn doubts(fleet: &Fleet, machines: &[Machine], limits: Limits) -> Markup {
    let doubtful: Vec<_> = machines.iter().filter(|it| it.is_doubtful()).collect();
    let (shown, more) = limits.first(&doubtful);
    let rows = html! {
        @for machine in shown {
            tr {
                th scope="row" { (text(&fleet.called(machine.host.as_deref()))) }
                td data-label="what" { (text(&doubt(machine))) }
            }
        }
    };
    html! {
        @if !doubtful.is_empty() {
            (table("Machines whose record is incomplete or whose mask was cleared", &["machine", "what"], &rows))
            @if more > 0 { p.note { "and " (format::number(more, "more machine")) } }
        }
    }
}
