//! How an execution ended, for the terminal: a sentence, and an exit code.

use wasmwiz_core::execution::{LimitKind, LimitSource, Status, Termination, Verdict};

use super::text;

/// What the exit codes of `run` and `exec` mean.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0..255  the guest's own; a larger one is 255
  2       the command line is wrong
  124     the guest ran longer than `timeout_ms` allows (as timeout(1))
  125     the module cannot run here, the execution was cancelled or refused, or WasmWiz failed
  126     the guest wrote more than `output_bytes` allows
  134     the guest trapped: it did what WebAssembly forbids (as after abort(3))
  137     the guest wanted more memory than `memory_bytes` allows (as when killed by Linux)
  141     whoever read standard output went away (as after SIGPIPE)";

/// The exit code where it was not the guest that came to an end.
pub(super) const NOT_RUN: u8 = 125;

/// Where the execution was, which decides how its limits are raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In this program.
    Here,
    /// On a server.
    Server,
}

/// The exit code that tells a verdict.
pub(super) fn exit_code(verdict: &Verdict) -> u8 {
    match verdict.status {
        Status::Succeeded => 0,
        Status::Failed => verdict.exit_code.map_or(1, |code| u8::try_from(code).unwrap_or(u8::MAX)),
        Status::TimedOut => 124,
        Status::OutputExceeded => 126,
        Status::Trapped => 134,
        Status::MemoryExceeded => 137,
        Status::Cancelled | Status::Rejected | Status::InternalError => NOT_RUN,
    }
}

/// Say what happened, unless the guest's own exit code says it all.
pub(super) fn sentence(verdict: &Verdict, place: Place) -> Option<String> {
    let happened = match verdict.status {
        Status::Succeeded | Status::Failed => return None,
        Status::Trapped => "the guest trapped",
        Status::TimedOut => "the guest was stopped: its time was up",
        Status::MemoryExceeded => "the guest was stopped: it wanted more memory than it may have",
        Status::OutputExceeded => "the guest was stopped: it wrote more than it may",
        Status::Cancelled => "the execution was cancelled",
        Status::Rejected => "the module cannot run here",
        Status::InternalError => "WasmWiz failed to run the module",
    };
    let mut sentence = happened.to_owned();
    if let Some(failure) = &verdict.error {
        sentence.push_str(&format!(": {} ({})", text::clean(&failure.message), text::clean(&failure.code)));
        if failure.code == "no_entry_point" {
            sentence.push_str("\n  here that is: --invoke FUNCTION [PARAM]...");
        }
    }
    if let Some(termination) = &verdict.termination {
        sentence.push_str(&format!("\n  {}", limit(termination, place)));
    }
    Some(sentence)
}

fn limit(termination: &Termination, place: Place) -> String {
    let Termination { limit, configured, observed, source, .. } = termination;
    let amount = |value: u64| match limit {
        LimitKind::TimeoutMs | LimitKind::CompileMs => format!("{value} ms"),
        LimitKind::FileEntries | LimitKind::OpenFiles => value.to_string(),
        _ if value < 1024 => format!("{value} bytes"),
        _ => format!("{value} bytes ({})", text::size(value)),
    };
    let from = match place {
        Place::Here => String::new(),
        Place::Server => format!(" (set by the {source})"),
    };
    let (configured, observed) = (amount(*configured), amount(*observed));
    let how = how_to_raise(termination, place);
    format!("the limit `{limit}` is {configured}{from}; observed: {observed}. To raise it, {how}")
}

fn how_to_raise(termination: &Termination, place: Place) -> String {
    let flag = match termination.limit {
        LimitKind::TimeoutMs => Some("--timeout-ms"),
        LimitKind::MemoryBytes => Some("--memory-bytes"),
        LimitKind::OutputBytes => Some("--output-bytes"),
        LimitKind::FileBytes => Some("--file-bytes"),
        _ => None,
    };
    match (place, termination.source, flag) {
        (Place::Here, LimitSource::Tier, Some(flag)) => format!("give a larger {flag}"),
        (Place::Here, LimitSource::Tier, None) => {
            let name = termination.limit.as_str();
            format!("set `{name}` of the highest tier, as WASMWIZ_POLICY__TIERED__TIERS__PRO__{}", name.to_uppercase())
        }
        (Place::Server, LimitSource::Request, Some(flag)) => {
            format!("give a larger {flag}, up to what your tier allows")
        }
        _ => text::clean(&termination.how_to_raise),
    }
}

#[cfg(test)]
mod tests {
    use wasmwiz_core::execution::{Failure, Limit};

    use super::*;

    fn limited(status: Status, kind: LimitKind, source: LimitSource) -> Verdict {
        Verdict::limited(status, Termination::new(kind, Limit { value: 5000, source }, 5003))
    }

    #[test]
    fn the_guests_exit_code_is_handed_on() {
        for (code, expected) in [(0, 0), (7, 7), (255, 255), (256, 255), (-1, 255)] {
            assert_eq!(exit_code(&Verdict::exited(code)), expected);
            assert_eq!(sentence(&Verdict::exited(code), Place::Here), None);
        }
    }

    #[test]
    fn every_limit_names_its_value_what_was_observed_and_the_flag_that_raises_it() {
        let verdict = limited(Status::TimedOut, LimitKind::TimeoutMs, LimitSource::Tier);
        assert_eq!(exit_code(&verdict), 124);
        assert_eq!(
            sentence(&verdict, Place::Here).unwrap(),
            "the guest was stopped: its time was up\n  the limit `timeout_ms` is 5000 ms; observed: 5003 ms. \
             To raise it, give a larger --timeout-ms"
        );
        assert!(sentence(&verdict, Place::Server).unwrap().contains("5000 ms (set by the tier); observed"));
        let verdict = limited(Status::OutputExceeded, LimitKind::FileEntries, LimitSource::Tier);
        assert_eq!(exit_code(&verdict), 126);
        assert!(
            sentence(&verdict, Place::Here).unwrap().ends_with("as WASMWIZ_POLICY__TIERED__TIERS__PRO__FILE_ENTRIES")
        );
        assert!(sentence(&verdict, Place::Server).unwrap().contains("a key of a higher tier"));
    }

    #[test]
    fn a_trap_says_what_the_guest_did() {
        let verdict = Verdict::failed(Status::Trapped, Failure::new("unreachable", "reached `unreachable`"));
        assert_eq!(exit_code(&verdict), 134);
        assert_eq!(
            sentence(&verdict, Place::Server).unwrap(),
            "the guest trapped: reached `unreachable` (unreachable)"
        );
    }

    #[test]
    fn what_did_not_run_has_a_code_of_its_own() {
        for status in [Status::Cancelled, Status::Rejected, Status::InternalError] {
            assert_eq!(exit_code(&Verdict::failed(status, Failure::new("x", "y"))), NOT_RUN);
        }
    }
}
