//! The Grafana dashboard for the live metrics: one text, with a uid in it. It knows no Grafana.

/// The uid of the dashboard, where nobody wants another.
pub const UID: &str = "loadgate";

const DASHBOARD: &str = include_str!("../../grafana/dashboard.json");
/// Where the uid stands in it.
const PLACE: &str = "\"uid\": \"loadgate\"";

/// The dashboard under this uid, which must be one.
pub fn dashboard(uid: &str) -> String {
    DASHBOARD.replace(PLACE, &format!("\"uid\": \"{uid}\""))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_uid_is_the_only_thing_that_changes() {
        assert_eq!(DASHBOARD.matches(PLACE).count(), 1);
        let mut changed: Value = serde_json::from_str(&dashboard("nightly")).unwrap();
        assert_eq!(changed["uid"], "nightly");
        changed["uid"] = UID.into();
        assert_eq!(changed, serde_json::from_str::<Value>(DASHBOARD).unwrap());
    }
}
